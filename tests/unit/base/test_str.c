#include "base/str.h"

#include "tap.h"

TEST(str_prefix_and_suffix)
{
	EXPECT(str_has_prefix("abc", "ab"));
	EXPECT(str_has_prefix("abc", ""));
	EXPECT(!str_has_prefix("ab", "abc"));
	EXPECT(str_has_suffix("abc", "bc"));
	EXPECT(str_has_suffix("abc", ""));
	EXPECT(!str_has_suffix("bc", "abc"));
}

static bool is_utf8(const char *text)
{
	return str_is_utf8(text, strlen(text));
}

TEST(str_utf8_accepts_every_length)
{
	EXPECT(is_utf8(""));
	EXPECT(is_utf8("abc"));
	EXPECT(is_utf8("\xc2\x80 \xdf\xbf"));
	EXPECT(is_utf8("\xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xef\xbf\xbf"));
	EXPECT(is_utf8("\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf"));
	EXPECT(str_is_utf8("a\0b", 3));
}

TEST(str_utf8_refuses_what_is_none)
{
	static const char *const bad[] = {
		"\x80",
		"\xbf",
		"\xc0\x80",
		"\xc1\xbf",
		"\xc2",
		"\xc2 ",
		"\xe0\x80\x80",
		"\xe0\x9f\xbf",
		"\xed\xa0\x80",
		"\xed\xbf\xbf",
		"\xe1\x80",
		"\xe1\x80z",
		"\xf0\x80\x80\x80",
		"\xf0\x8f\xbf\xbf",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xf1\x80\x80",
		"\xf1\x80\x80z",
		"\xff",
		"\xfe",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (is_utf8(bad[i]))
			tap_fail(__FILE__, __LINE__, "bad[%zu] passes", i);
	}
}

TEST(str_printable)
{
	EXPECT_INT(str_printable_bytes("a", 1), 1);
	EXPECT_INT(str_printable_bytes("\xc3\xa4x", 3), 2);
	EXPECT_INT(str_printable_bytes("\xc2\xa0", 2), 2);
	EXPECT_INT(str_printable_bytes("\xf0\x9f\x9a\x80", 4), 4);
	EXPECT_INT(str_printable_bytes("\xf0\x9f\x9a\x80", 3), 0);
	EXPECT_INT(str_printable_bytes("\xc2", 1), 0);
	EXPECT_INT(str_printable_bytes("\xc2\x9b", 2), 0);
	EXPECT_INT(str_printable_bytes("\x1b", 1), 0);
	EXPECT_INT(str_printable_bytes("\x7f", 1), 0);
	EXPECT_INT(str_printable_bytes("\0", 1), 0);
	EXPECT_INT(str_printable_bytes("\xff", 1), 0);
}

TEST(parse_u64_within_bounds)
{
	struct error err;
	uint64_t value = 0;

	EXPECT_OK(parse_u64("0", 0, 10, &value, &err), err);
	EXPECT_INT(value, 0);
	EXPECT_OK(parse_u64("18446744073709551615", 0, UINT64_MAX, &value, &err), err);
	EXPECT(value == UINT64_MAX);
	EXPECT_OK(parse_u64("007", 7, 7, &value, &err), err);
	EXPECT_INT(value, 7);
}

TEST(parse_u64_refuses)
{
	static const char *const bad[] = {
		"",
		" 1",
		"1 ",
		"+1",
		"-1",
		"0x10",
		"1e3",
		"1.0",
		"a",
		"4",
		"11",
		"18446744073709551616",
		"99999999999999999999999999",
		"\xd9\xa1",
		"1\n",
	};
	struct error err;
	uint64_t value = 77;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_ERR(parse_u64(bad[i], 5, 10, &value, &err), err, ERR_INVALID);
	EXPECT_INT(value, 77);
	EXPECT_ERR(parse_u64("x", 5, 10, &value, &err), err, ERR_INVALID);
	EXPECT_STR(err.msg, "\"x\" is not a whole number between 5 and 10");
}

TEST(parse_i64_reaches_both_ends)
{
	struct error err;
	int64_t value = 0;

	EXPECT_OK(parse_i64("-9223372036854775808", INT64_MIN, INT64_MAX, &value, &err), err);
	EXPECT(value == INT64_MIN);
	EXPECT_OK(parse_i64("9223372036854775807", INT64_MIN, INT64_MAX, &value, &err), err);
	EXPECT(value == INT64_MAX);
	EXPECT_OK(parse_i64("-0", -1, 1, &value, &err), err);
	EXPECT_INT(value, 0);
	EXPECT_ERR(parse_i64("9223372036854775808", INT64_MIN, INT64_MAX, &value, &err), err,
		   ERR_INVALID);
	EXPECT_ERR(parse_i64("-9223372036854775809", INT64_MIN, INT64_MAX, &value, &err), err,
		   ERR_INVALID);
	EXPECT_ERR(parse_i64("--1", -5, 5, &value, &err), err, ERR_INVALID);
	EXPECT_ERR(parse_i64("-", -5, 5, &value, &err), err, ERR_INVALID);
	EXPECT_ERR(parse_i64("-6", -5, 5, &value, &err), err, ERR_INVALID);
	EXPECT_INT(value, 0);
}

struct quantity {
	const char *text;
	uint64_t value;
};

TEST(parse_bytes_units)
{
	static const struct quantity good[] = {
		{"0", 0},
		{"100000", 100000},
		{"100b", 100},
		{"512M", 512ULL << 20},
		{"512m", 512ULL << 20},
		{"1.5GiB", 3ULL << 29},
		{"1K", 1024},
		{"1KiB", 1024},
		{"1KB", 1000},
		{"20GB", 20000000000ULL},
		{"2T", 2ULL << 40},
		{"3tb", 3000000000000ULL},
		{"0.5k", 512},
		{"0.000001M", 1},
		{"9223372036854775807", INT64_MAX},
	};
	struct error err;
	uint64_t value;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		EXPECT_OK(parse_bytes(good[i].text, &value, &err), err);
		EXPECT_INT(value, good[i].value);
	}
}

TEST(parse_bytes_refuses)
{
	static const char *const bad[] = {
		"",
		"M",
		"-1",
		"1.5",
		"1.",
		".5M",
		"1 M",
		"1MM",
		"1Mi",
		"1iB",
		"1P",
		"1e3",
		"0x1K",
		"1.0000000M",
		"1KiBs",
		"1.2.3M",
		"16777216T",
		"9223372036854775808",
		"99999999999999999999",
		"8388608T",
	};
	struct error err;
	uint64_t value = 77;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_ERR(parse_bytes(bad[i], &value, &err), err, ERR_INVALID);
	EXPECT_INT(value, 77);
	EXPECT(err.hint[0] != '\0');
}

TEST(parse_duration_units)
{
	static const struct quantity good[] = {
		{"0", 0},
		{"90", 90000},
		{"90s", 90000},
		{"1h30m", 5400000},
		{"250ms", 250},
		{"2d", 172800000},
		{"1d2h3m4s5ms", 93784005},
		{"0.5", 500},
		{"1.5h", 5400000},
		{"1m250ms", 60250},
		{"0.001s", 1},
	};
	struct error err;
	uint64_t value;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		EXPECT_OK(parse_duration(good[i].text, &value, &err), err);
		EXPECT_INT(value, good[i].value);
	}
}

TEST(parse_duration_refuses)
{
	static const char *const bad[] = {
		"",
		"s",
		"-1s",
		"1x",
		"1h 30m",
		"30m1h",
		"1h1h",
		"1h30",
		"1M",
		"1.s",
		"1mss",
		"1ms2s",
		"9223372036854775807d",
		"99999999999999999999",
		"9223372036854776s",
		"106751991167d106751991167h",
	};
	struct error err;
	uint64_t value = 77;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_ERR(parse_duration(bad[i], &value, &err), err, ERR_INVALID);
	EXPECT_INT(value, 77);
}

TEST(parse_millis_three_decimals)
{
	struct error err;
	uint64_t value;

	EXPECT_OK(parse_millis("0.5", &value, &err), err);
	EXPECT_INT(value, 500);
	EXPECT_OK(parse_millis("2", &value, &err), err);
	EXPECT_INT(value, 2000);
	EXPECT_OK(parse_millis("0.001", &value, &err), err);
	EXPECT_INT(value, 1);
	EXPECT_ERR(parse_millis("0.0005", &value, &err), err, ERR_INVALID);
	EXPECT_ERR(parse_millis("-1", &value, &err), err, ERR_INVALID);
	EXPECT_ERR(parse_millis("1k", &value, &err), err, ERR_INVALID);
	EXPECT_ERR(parse_millis("", &value, &err), err, ERR_INVALID);
	EXPECT_ERR(parse_millis("9223372036854776", &value, &err), err, ERR_INVALID);
	EXPECT_INT(value, 1);
}

TEST(format_bytes_rounds_to_a_tenth)
{
	char out[32];

	EXPECT_STR(format_bytes(0, out, sizeof(out)), "0 B");
	EXPECT_STR(format_bytes(1023, out, sizeof(out)), "1023 B");
	EXPECT_STR(format_bytes(1024, out, sizeof(out)), "1 KiB");
	EXPECT_STR(format_bytes(3ULL << 29, out, sizeof(out)), "1.5 GiB");
	EXPECT_STR(format_bytes(1048575, out, sizeof(out)), "1 MiB");
	EXPECT_STR(format_bytes(UINT64_MAX, out, sizeof(out)), "16 EiB");
	EXPECT_STR(format_bytes(1024, out, 4), "1 K");
}

TEST(format_bytes_is_read_back)
{
	struct error err;
	char out[32];
	uint64_t value;

	format_bytes(512ULL << 20, out, sizeof(out));
	out[3] = 'M'; /* without the space */
	out[4] = '\0';
	EXPECT_OK(parse_bytes(out, &value, &err), err);
	EXPECT_INT(value, 512ULL << 20);
}

TEST(format_duration_two_units)
{
	char out[32];

	EXPECT_STR(format_duration(0, out, sizeof(out)), "0 ms");
	EXPECT_STR(format_duration(999, out, sizeof(out)), "999 ms");
	EXPECT_STR(format_duration(1000, out, sizeof(out)), "1.0 s");
	EXPECT_STR(format_duration(59999, out, sizeof(out)), "59.9 s");
	EXPECT_STR(format_duration(65000, out, sizeof(out)), "1m 05s");
	EXPECT_STR(format_duration(3599999, out, sizeof(out)), "59m 59s");
	EXPECT_STR(format_duration(3900000, out, sizeof(out)), "1h 05m");
	EXPECT_STR(format_duration(86400000 + 3 * 3600000, out, sizeof(out)), "1d 03h");
	EXPECT(strlen(format_duration(UINT64_MAX, out, sizeof(out))) > 5);
}

static const char *suggest(const char *word)
{
	static const char *const options[] = {"memory", "timeout", "name", "env", "label", "cpus"};

	return str_suggest(word, options, ARRAY_SIZE(options));
}

TEST(suggest_what_was_probably_meant)
{
	EXPECT_STR(suggest("memry"), "memory");
	EXPECT_STR(suggest("meomry"), "memory");
	EXPECT_STR(suggest("tiemout"), "timeout");
	EXPECT_STR(suggest("envs"), "env");
	EXPECT_STR(suggest("cpu"), "cpus");
	EXPECT_STR(suggest("mem"), "memory");
	EXPECT_STR(suggest("labels"), "label");
}

TEST(suggest_nothing_when_nothing_is_near)
{
	char huge[1000];

	memset(huge, 'm', sizeof(huge));
	huge[sizeof(huge) - 1] = '\0';
	EXPECT(suggest("") == NULL);
	EXPECT(suggest("x") == NULL);
	EXPECT(suggest("zzzzzzz") == NULL);
	EXPECT(suggest("output") == NULL);
	EXPECT(suggest(huge) == NULL);
	EXPECT(str_suggest("word", NULL, 0) == NULL);
}
