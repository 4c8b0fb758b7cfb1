#include "api/log_position.h"
#include "core/job.h"
#include "tap.h"

TEST(event_ids_come_back_as_they_went)
{
	char text[LOG_EVENT_ID_BYTES];
	int64_t attempt;
	int64_t seq;
	struct error err;

	EXPECT_OK(log_event_id_parse(log_event_id_format(3, 17, text), &attempt, &seq, &err), err);
	EXPECT_INT(attempt, 3);
	EXPECT_INT(seq, 17);
	EXPECT_OK(log_event_id_parse(log_event_id_format(1, -1, text), &attempt, &seq, &err), err);
	EXPECT_INT(seq, -1);
}

TEST(other_event_ids_are_refused)
{
	static const char *const texts[] = {"",
					    ".",
					    "1",
					    "1.",
					    ".1",
					    "0.1",
					    "1.-2",
					    "1.2.3",
					    "1.2 ",
					    " 1.2",
					    "a.b",
					    "99999999999.1",
					    "1.99999999999"};
	int64_t attempt;
	int64_t seq;
	struct error err;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		EXPECT_ERR(log_event_id_parse(texts[i], &attempt, &seq, &err), err, ERR_INVALID);
		EXPECT_STR(err.field, "Last-Event-ID");
	}
}

TEST(streams_are_chosen_by_name)
{
	struct error err;
	unsigned streams;

	EXPECT_OK(log_streams_parse("stdout", &streams, &err), err);
	EXPECT_INT(streams, 1U << STREAM_STDOUT);
	EXPECT_OK(log_streams_parse("stderr,system,stderr", &streams, &err), err);
	EXPECT_INT(streams, 1U << STREAM_STDERR | 1U << STREAM_SYSTEM);
	EXPECT_OK(log_streams_parse("stdout,stderr,system", &streams, &err), err);
	EXPECT_INT(streams, LOG_STREAMS_ALL);
	EXPECT_ERR(log_streams_parse("", &streams, &err), err, ERR_INVALID);
	EXPECT_ERR(log_streams_parse("stdout,", &streams, &err), err, ERR_INVALID);
	EXPECT_ERR(log_streams_parse("stdin", &streams, &err), err, ERR_INVALID);
}
