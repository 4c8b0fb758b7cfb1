#include "core/id.h"

#include "tap.h"

static const int64_t samples[] = {
	0, 1, 31, 32, 4194303, 1LL << 22, 1LL << 40, 1LL << 62, INT64_MAX - 1, INT64_MAX};
#define SAMPLE_COUNT (sizeof(samples) / sizeof(samples[0]))

TEST(whole_ids_are_read_back)
{
	for (size_t i = 0; i < SAMPLE_COUNT; i++) {
		char text[ID_TEXT_BYTES];
		int64_t low;
		int64_t high;

		EXPECT(id_parse(ID_JOB, id_format(ID_JOB, samples[i], text), &low, &high));
		EXPECT_INT(low, samples[i]);
		EXPECT_INT(high, samples[i]);
		EXPECT(id_parse(ID_JOB, text + strlen("job_"), &low, &high));
		EXPECT_INT(low, samples[i]);
	}
}

TEST(text_order_is_numeric_order)
{
	for (size_t i = 1; i < SAMPLE_COUNT; i++) {
		char before[ID_TEXT_BYTES];
		char after[ID_TEXT_BYTES];

		id_format(ID_BATCH, samples[i - 1], before);
		id_format(ID_BATCH, samples[i], after);
		EXPECT(strcmp(before, after) < 0);
	}
}

TEST(prefixes_mean_the_range_of_ids_that_start_so)
{
	for (size_t i = 0; i < SAMPLE_COUNT; i++) {
		char text[ID_TEXT_BYTES];
		int64_t low;
		int64_t high;

		id_format(ID_JOB, samples[i], text);
		for (size_t bytes = strlen(text); bytes > strlen("job_"); bytes--) {
			text[bytes] = '\0';
			EXPECT(id_parse(ID_JOB, text, &low, &high));
			EXPECT(low <= samples[i]);
			EXPECT(samples[i] <= high);
			char first[ID_TEXT_BYTES];
			char last[ID_TEXT_BYTES];
			EXPECT(strncmp(id_format(ID_JOB, low, first), text, bytes) == 0);
			EXPECT(strncmp(id_format(ID_JOB, high, last), text, bytes) == 0);
		}
	}
}

TEST(neighbouring_prefixes_do_not_overlap)
{
	int64_t low;
	int64_t high;
	int64_t next_low;
	int64_t next_high;

	EXPECT(id_parse(ID_JOB, "job_0f3", &low, &high));
	EXPECT(id_parse(ID_JOB, "job_0f4", &next_low, &next_high));
	EXPECT(high < next_low);
	EXPECT_INT(high + 1, next_low);
}

TEST(what_cannot_be_an_id_is_refused)
{
	static const char *const wrong[] = {
		"",
		"job_",
		"job",
		"batch_0000000000001",
		"job_00000000000001",
		"job_u",
		"job_0-1",
		"job_job_1",
		" 1",
		"1 ",
		/* over 63 bits */
		"job_8",
		"job_8000000000000",
		"job_fzzzzzzzzzzzz",
		"job_g",
		"job_zzzzzzzzzzzzz",
	};
	int64_t low;
	int64_t high;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (id_parse(ID_JOB, wrong[i], &low, &high))
			tap_fail(__FILE__, __LINE__, "\"%s\" was accepted", wrong[i]);
}

TEST(every_kind_has_a_prefix_of_its_own)
{
	for (enum id_kind kind = ID_JOB; kind < ID_KIND_MAX; kind++) {
		char text[ID_TEXT_BYTES];
		int64_t low;
		int64_t high;

		id_format(kind, INT64_MAX, text);
		for (enum id_kind other = ID_JOB; other < ID_KIND_MAX; other++)
			EXPECT(id_parse(other, text, &low, &high) == (kind == other));
	}
}
