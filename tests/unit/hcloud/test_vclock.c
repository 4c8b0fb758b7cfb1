#include "hcloud/vclock.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "tap.h"

#define BIRTH 1454198100000000LL /* 2016-01-30T23:55:00Z */

TEST(texts)
{
	char text[VCLOCK_TEXT_BYTES];

	EXPECT_STR(vclock_format(BIRTH, text), "2016-01-30T23:55:00+00:00");
	EXPECT_STR(vclock_format_http(BIRTH, text), "Sat, 30 Jan 2016 23:55:00 GMT");
}

TEST(texts_are_read)
{
	static const char *const same[] = {
		"2016-01-30T23:55:00Z",	     "2016-01-30T23:55:00",
		"2016-01-30T23:55:00.042Z",  "2016-01-30T23:55:00+00:00",
		"2016-01-31T01:55:00+02:00", "2016-01-30T18:25:00.5-05:30",
	};
	static const char *const none[] = {
		"",
		"yesterday",
		"2016-01-30",
		"2016-01-30T23:55:00.",
		"2016-01-30T23:55:00+2:00",
		"2016-01-30T23:55:00+0200",
		"2016-01-30T23:55:00+24:00",
		"2016-01-30T23:55:00+02:00x",
		"2016-13-30T23:55:00Z",
		"2016-01-30T23:55:00Z ",
	};
	int64_t wall_us = 0;

	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		EXPECT(vclock_parse(same[i], &wall_us));
		EXPECT_INT(wall_us, BIRTH);
	}
	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		EXPECT(!vclock_parse(none[i], &wall_us));
}

TEST(it_can_be_moved_and_sped_up)
{
	struct vclock clock;

	vclock_init(&clock, BIRTH, 1);
	vclock_advance(&clock, 3600000000ULL);
	EXPECT(vclock_now_us(&clock) >= BIRTH + 3600000000LL);
	/* A change of rate does not make it jump. */
	int64_t before = vclock_now_us(&clock);
	uint64_t began_us = clock_boottime_us();
	vclock_set_rate(&clock, 1000);
	int64_t after = vclock_now_us(&clock);
	EXPECT(after >= before);
	EXPECT(after - before <= (int64_t)(clock_boottime_us() - began_us) * 1000 + 1000000);
	uint64_t until_us = clock_boottime_us() + 2000;
	while (clock_boottime_us() < until_us)
		;
	EXPECT(vclock_now_us(&clock) - after >= 2000 * 1000);
}
