#include "base/clock.h"

#include <time.h>

#include "tap.h"

TEST(clock_boottime_moves_on)
{
	uint64_t before = clock_boottime_us();
	uint64_t now;

	do
		now = clock_boottime_us();
	while (now == before);
	EXPECT(now > before);
	EXPECT(clock_boottime_ms() >= before / 1000);
}

TEST(clock_wall_is_the_time_of_day)
{
	int64_t seconds = clock_wall_us() / 1000000;

	EXPECT(seconds >= time(NULL) - 2);
	EXPECT(seconds <= time(NULL) + 2);
}

static const char *format(int64_t wall_us)
{
	static char out[CLOCK_RFC3339_BYTES];

	return clock_format_rfc3339(wall_us, out);
}

TEST(clock_format)
{
	EXPECT_STR(format(0), "1970-01-01T00:00:00.000Z");
	EXPECT_STR(format(1795460001042999), "2026-11-23T18:53:21.042Z");
	EXPECT_STR(format(951782400000000), "2000-02-29T00:00:00.000Z");
	EXPECT_STR(format(-1), "1969-12-31T23:59:59.999Z");
	EXPECT_STR(format(-1000000), "1969-12-31T23:59:59.000Z");
}

TEST(clock_format_of_any_number_fits)
{
	EXPECT_STR(format(INT64_MAX), "9999-12-31T23:59:59.999Z");
	EXPECT_STR(format(INT64_MIN), "0000-01-01T00:00:00.000Z");
	EXPECT_STR(format(253402300799999999), "9999-12-31T23:59:59.999Z");
	EXPECT_STR(format(-30610224000000000), "1000-01-01T00:00:00.000Z");
}
