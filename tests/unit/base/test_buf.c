#include "base/buf.h"

#include <stdint.h>
#include <stdlib.h>

#include "tap.h"

TEST(buf_is_empty_text_without_memory)
{
	struct buf buf;

	buf_init(&buf, 10);
	EXPECT_STR(buf.data, "");
	EXPECT_INT(buf.bytes, 0);
	EXPECT_INT(buf.capacity, 0);
	buf_append(&buf, NULL, 0);
	buf_append_str(&buf, "");
	buf_clear(&buf);
	buf_consume(&buf, 0);
	EXPECT_INT(buf.capacity, 0);
	EXPECT(!buf.overflowed);
}

TEST(buf_grows_and_stays_terminated)
{
	CLEANUP(cleanup_buf) struct buf buf;

	buf_init(&buf, 100000);
	for (int i = 0; i < 10000; i++) {
		buf_append_char(&buf, (char)('a' + i % 26));
		EXPECT_INT(buf.data[buf.bytes], '\0');
	}
	EXPECT_INT(buf.bytes, 10000);
	EXPECT_INT(buf.data[9999], 'a' + 9999 % 26);
}

TEST(buf_holds_nul_bytes)
{
	CLEANUP(cleanup_buf) struct buf buf;

	buf_init(&buf, 10);
	buf_append(&buf, "a\0b", 3);
	EXPECT_INT(buf.bytes, 3);
	EXPECT(memcmp(buf.data, "a\0b", 4) == 0);
}

TEST(buf_takes_exactly_its_maximum)
{
	CLEANUP(cleanup_buf) struct buf buf;

	buf_init(&buf, 4);
	buf_append_str(&buf, "abcd");
	EXPECT(!buf.overflowed);
	EXPECT_STR(buf.data, "abcd");
	EXPECT_INT(buf.capacity, 5);
	buf_append_char(&buf, 'e');
	EXPECT(buf.overflowed);
	EXPECT_STR(buf.data, "abcd");
}

TEST(buf_overflow_sticks_until_cleared)
{
	CLEANUP(cleanup_buf) struct buf buf;

	buf_init(&buf, 4);
	buf_append_str(&buf, "abcde");
	EXPECT(buf.overflowed);
	EXPECT_STR(buf.data, "");
	buf_append_char(&buf, 'x');
	EXPECT_STR(buf.data, "");
	EXPECT(buf_reserve(&buf, 1) == NULL);
	buf_clear(&buf);
	buf_append_char(&buf, 'x');
	EXPECT_STR(buf.data, "x");
}

TEST(buf_survives_a_request_for_all_memory)
{
	CLEANUP(cleanup_buf) struct buf buf;

	buf_init(&buf, 8);
	buf_append_str(&buf, "abc");
	EXPECT(buf_reserve(&buf, SIZE_MAX) == NULL);
	EXPECT(buf.overflowed);
	EXPECT_STR(buf.data, "abc");
}

TEST(buf_formats_in_place)
{
	CLEANUP(cleanup_buf) struct buf buf;

	buf_init(&buf, 300);
	buf_appendf(&buf, "%s-%d", "job", 7);
	buf_appendf(&buf, "%s", "");
	EXPECT_STR(buf.data, "job-7");
	buf_appendf(&buf, "%0200d", 0);
	EXPECT_INT(buf.bytes, 205);
	buf_appendf(&buf, "%0200d", 0);
	EXPECT(buf.overflowed);
	EXPECT_INT(buf.bytes, 205);
}

TEST(buf_reserve_and_commit)
{
	CLEANUP(cleanup_buf) struct buf buf;

	buf_init(&buf, 100);
	char *to = buf_reserve(&buf, 50);

	EXPECT(to != NULL);
	memset(to, 'a', 5);
	buf_commit(&buf, 5);
	EXPECT_STR(buf.data, "aaaaa");
	EXPECT(buf_reserve(&buf, 95) != NULL);
	buf_commit(&buf, 0);
	EXPECT_STR(buf.data, "aaaaa");
	EXPECT(buf_reserve(&buf, 96) == NULL);
}

TEST(buf_consume_drops_the_front)
{
	CLEANUP(cleanup_buf) struct buf buf;

	buf_init(&buf, 100);
	buf_append_str(&buf, "abcdef");
	buf_consume(&buf, 2);
	EXPECT_STR(buf.data, "cdef");
	buf_consume(&buf, 4);
	EXPECT_STR(buf.data, "");
	EXPECT_INT(buf.bytes, 0);
}

TEST(buf_detach_hands_over)
{
	CLEANUP(cleanup_buf) struct buf buf;

	buf_init(&buf, 100);
	CLEANUP(cleanup_free) char *nothing = buf_detach(&buf);

	EXPECT_STR(nothing, "");
	buf_append_str(&buf, "abc");
	CLEANUP(cleanup_free) char *text = buf_detach(&buf);

	EXPECT_STR(text, "abc");
	EXPECT_STR(buf.data, "");
	EXPECT_INT(buf.capacity, 0);
	buf_append_str(&buf, "again");
	EXPECT_STR(buf.data, "again");
}

TEST(buf_release_leaves_an_empty_buf)
{
	struct buf buf;

	buf_init(&buf, 3);
	buf_append_str(&buf, "abc");
	buf_append_str(&buf, "d");
	buf_release(&buf);
	EXPECT(!buf.overflowed);
	EXPECT_INT(buf.bytes_max, 3);
	buf_release(&buf);
	EXPECT_STR(buf.data, "");
}
