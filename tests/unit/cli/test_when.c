#include "cli/when.h"

#include "tap.h"

#define US 1000000LL

TEST(times_are_parsed)
{
	int64_t us;

	EXPECT(when_parse("1970-01-01T00:00:01Z", &us));
	EXPECT_INT(us, 1 * US);
	EXPECT(when_parse("2026-11-23T18:53:21.042Z", &us));
	EXPECT_INT(us, 1795460001042000LL);
	EXPECT(when_parse("1970-01-01T00:00:00.123456789+00:00", &us));
	EXPECT_INT(us, 123456);
	EXPECT(!when_parse("yesterday", &us));
	EXPECT(!when_parse("2026-11-23T18:53:21+02:00", &us));
	EXPECT(!when_parse("2026-11-23T18:53:21Zjunk", &us));
}

TEST(relative_times)
{
	char out[WHEN_BYTES];

	EXPECT_STR(when_relative(100 * US, 100 * US, out), "just now");
	EXPECT_STR(when_relative(101 * US, 100 * US, out), "just now"); /* our clock is behind */
	EXPECT_STR(when_relative(0, 42 * US, out), "42s ago");
	EXPECT_STR(when_relative(0, 300 * US, out), "5m ago");
	EXPECT_STR(when_relative(0, 3 * 3600 * US, out), "3h ago");
	EXPECT_STR(when_relative(0, 5 * 86400 * US, out), "5d ago");
	EXPECT_STR(when_relative(0, 400 * 86400 * US, out), "1970-01-01");
	EXPECT_STR(when_show("2026-11-23T18:53:21.042Z", false, out), "2026-11-23T18:53:21.042Z");
	EXPECT_STR(when_show(NULL, true, out), "");
}
