#include "hcloud/vclock.h"

#include "base/clock.h"
#include "tap.h"

#define BIRTH 1454198100000000LL /* 2016-01-30T23:55:00Z */

TEST(texts)
{
	char text[VCLOCK_TEXT_BYTES];

	EXPECT_STR(vclock_format(BIRTH, text), "2016-01-30T23:55:00+00:00");
	EXPECT_STR(vclock_format_http(BIRTH, text), "Sat, 30 Jan 2016 23:55:00 GMT");
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
