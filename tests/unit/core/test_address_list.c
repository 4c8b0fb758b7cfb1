/* The list of workers' public addresses: what is taken, what refuses it as a whole. */
#include "core/address_list.h"

#include "core/ipv4.h"
#include "tap.h"

static enum error_code parse(const char *text, size_t bytes, struct address_list *ret)
{
	struct error err = {0};

	return address_list_parse(text, bytes, ret, &err) == 0 ? ERR_NONE : err.code;
}

static void expect_text(const struct address_list *list, const char *text)
{
	struct buf out;

	buf_init(&out, ADDRESS_LIST_BYTES_MAX);
	address_list_write(list, &out);
	EXPECT_STR(out.bytes > 0 ? out.data : "", text);
	buf_release(&out);
}

TEST(lines_in_any_order_are_written_ascending)
{
	static const char text[] = "46.1.2.3/32\n9.9.9.9/32\n203.0.113.5/32\n";
	struct address_list list = {0};

	EXPECT_INT(parse(text, strlen(text), &list), ERR_NONE);
	expect_text(&list, "9.9.9.9/32\n46.1.2.3/32\n203.0.113.5/32\n");
}

TEST(nothing_is_nobody)
{
	struct address_list list = {.count = 3};

	EXPECT_INT(parse("", 0, &list), ERR_NONE);
	EXPECT_INT(list.count, 0);
}

TEST(one_bad_line_refuses_all)
{
	static const char *const lines[] = {"46.0.0.0/8",
					    "46.1.2.3/31",
					    "0.0.0.0/0",
					    "0.0.0.0/32",
					    "46.1.2.3",
					    "",
					    " 46.1.2.3/32",
					    "46.1.2.3/32 ",
					    "46.1.2.3/32\r",
					    "# none",
					    "127.0.0.1/32",
					    "10.0.1.3/32",
					    "192.168.0.1/32",
					    "224.0.0.1/32",
					    "46.1.2.03/32",
					    "46.1.2/32",
					    "all",
					    "::1/128",
					    "9.9.9.9/32",
					    "46.1.2.3/32 0.0.0.0/0",
					    "46.1.2.3/32,0.0.0.0/0"};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct address_list list = {.count = 0};
		struct buf text;
		buf_init(&text, 256);
		buf_appendf(&text, "9.9.9.9/32\n%s\n9.9.9.10/32\n", lines[i]);
		EXPECT_INT(parse(text.data, text.bytes, &list), ERR_INVALID);
		EXPECT_INT(list.count, 0);
		buf_release(&text);
	}
}

TEST(a_text_that_is_cut_off_is_refused)
{
	static const char text[] = "9.9.9.9/32\n9.9.9.10/32\n";
	struct address_list list = {0};

	for (size_t bytes = 1; bytes < sizeof(text) - 1; bytes++) {
		bool whole = text[bytes - 1] == '\n';
		EXPECT_INT(parse(text, bytes, &list), whole ? ERR_NONE : ERR_INVALID);
	}
	EXPECT_INT(parse("9.9.9.9/32\0\n", 12, &list), ERR_INVALID);
}

TEST(there_is_an_end_to_it)
{
	static char text[2 * ADDRESS_LIST_BYTES_MAX];
	struct address_list list = {0};
	struct buf out;

	for (uint32_t i = 0; i < ADDRESS_LIST_MAX; i++)
		EXPECT(address_list_add(&list, 0xdcffff00U - i));
	EXPECT(!address_list_add(&list, 0xdcffffffU));
	EXPECT(address_list_add(&list, 0xdcffff00U)); /* it is there */
	buf_init(&out, ADDRESS_LIST_BYTES_MAX);
	address_list_write(&list, &out);
	EXPECT(!out.overflowed);
	EXPECT_INT(parse(out.data, out.bytes, &list), ERR_NONE);
	EXPECT_INT(list.count, ADDRESS_LIST_MAX);
	buf_release(&out);
	memset(text, '9', sizeof(text));
	EXPECT_INT(parse(text, sizeof(text), &list), ERR_TOO_LARGE);
}

TEST(what_is_not_public_is_not_added)
{
	struct address_list list = {0};

	EXPECT(!address_list_add(&list, 0x0a000103));
	EXPECT(!address_list_add(&list, 0));
	EXPECT_INT(list.count, 0);
}
