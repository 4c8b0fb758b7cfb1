#include "api/range.h"
#include "tap.h"

static void expect_part(const char *header, uint64_t content_bytes, uint64_t first, uint64_t bytes)
{
	struct byte_range range;

	EXPECT_INT(range_parse(header, content_bytes, &range), RANGE_PART);
	EXPECT_INT(range.first, first);
	EXPECT_INT(range.bytes, bytes);
}

static void expect_verdict(const char *header, uint64_t content_bytes, enum range_verdict verdict)
{
	struct byte_range range;

	EXPECT_INT(range_parse(header, content_bytes, &range), verdict);
}

TEST(ranges_lie_within_the_content)
{
	expect_part("bytes=0-0", 10, 0, 1);
	expect_part("bytes=0-9", 10, 0, 10);
	expect_part("Bytes=2-4", 10, 2, 3);
	expect_part("bytes=9-", 10, 9, 1);
	expect_part("bytes=0-99", 10, 0, 10);
	expect_part("bytes=-3", 10, 7, 3);
	expect_part("bytes=-99", 10, 0, 10);
	expect_part("bytes=1-99999999999999999999999", 10, 1, 9);
	expect_part("bytes=18446744073709551613-18446744073709551615", UINT64_MAX, UINT64_MAX - 2,
		    2);
}

TEST(ranges_outside_of_the_content_cannot_be_satisfied)
{
	expect_verdict("bytes=10-", 10, RANGE_NOT_SATISFIABLE);
	expect_verdict("bytes=10-12", 10, RANGE_NOT_SATISFIABLE);
	expect_verdict("bytes=99999999999999999999999-", 10, RANGE_NOT_SATISFIABLE);
	expect_verdict("bytes=-0", 10, RANGE_NOT_SATISFIABLE);
	expect_verdict("bytes=0-", 0, RANGE_NOT_SATISFIABLE);
	expect_verdict("bytes=-1", 0, RANGE_NOT_SATISFIABLE);
}

TEST(what_is_no_single_range_is_ignored)
{
	static const char *const headers[] = {
		"",	     "bytes",	   "bytes=",	    "bytes=-",
		"bytes=a-b", "bytes=1",	   "bytes=1-2,4-5", "bytes=2-1",
		"items=1-2", "bytes=1-2 ", "bytes= 1-2",    "bytes=1--2",
	};

	expect_verdict(NULL, 10, RANGE_WHOLE);
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		expect_verdict(headers[i], 10, RANGE_WHOLE);
}
