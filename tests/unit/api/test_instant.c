#include "api/instant.h"
#include "base/clock.h"
#include "tap.h"

static void expect_instant(const char *text, const char *expected)
{
	char again[CLOCK_RFC3339_BYTES];
	struct error err;
	int64_t wall_us;

	EXPECT_OK(instant_parse(text, &wall_us, &err), err);
	EXPECT_STR(clock_format_rfc3339(wall_us, again), expected);
}

TEST(instants_are_read)
{
	expect_instant("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z");
	expect_instant("2026-11-23T18:53:21.042Z", "2026-11-23T18:53:21.042Z");
	expect_instant("2026-11-23t18:53:21z", "2026-11-23T18:53:21.000Z");
	expect_instant("2026-11-23 18:53:21.042123Z", "2026-11-23T18:53:21.042Z");
	expect_instant("2026-11-23T18:53:21+01:00", "2026-11-23T17:53:21.000Z");
	expect_instant("2026-11-23T18:53:21-05:30", "2026-11-24T00:23:21.000Z");
	expect_instant("2024-02-29T23:59:59Z", "2024-02-29T23:59:59.000Z");
	expect_instant("2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000Z");
	expect_instant("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z");
	expect_instant("9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000Z");
}

TEST(every_day_of_four_centuries_follows_the_one_before)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int64_t expected_us = 0;

	for (int year = 1970; year < 2370; year++) {
		bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

		for (int month = 1; month <= 12; month++) {
			int count = month == 2 && is_leap ? 29 : days[month - 1];

			for (int day = 1; day <= count; day++) {
				char text[64];
				struct error err;
				int64_t wall_us;

				(void)snprintf(text, sizeof(text), "%04d-%02d-%02dT00:00:00Z", year,
					       month, day);
				EXPECT_OK(instant_parse(text, &wall_us, &err), err);
				EXPECT(wall_us == expected_us);
				expected_us += INT64_C(86400) * 1000000;
			}
		}
	}
}

TEST(what_is_no_instant_is_refused)
{
	static const char *const texts[] = {
		"",
		"now",
		"2026-11-23",
		"2026-11-23T18:53Z",
		"2026-11-23T18:53:21",
		"2026-11-23T18:53:21.Z",
		"2026-11-23T18:53:21.1234567890Z",
		"2026-13-01T00:00:00Z",
		"2026-00-01T00:00:00Z",
		"2025-02-29T00:00:00Z",
		"2100-02-29T00:00:00Z",
		"2026-01-01T24:00:00Z",
		"2026-01-01T00:60:00Z",
		"2026-01-01T00:00:61Z",
		"2026-01-01T00:00:00+1:00",
		"2026-01-01T00:00:00Z ",
		"1969-12-31T23:59:59Z",
		"1970-01-01T00:00:00+01:00",
		"-026-01-01T00:00:00Z",
		"12026-01-01T00:00:00Z",
	};
	struct error err;
	int64_t wall_us;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		EXPECT_ERR(instant_parse(texts[i], &wall_us, &err), err, ERR_INVALID);
}
