#include "core/name_list.h"

#include <string.h>

#include "tap.h"

static struct name_list list;
static struct error err;

TEST(commas_part_names)
{
	EXPECT_OK(name_list_parse("alice, bob's laptop ,,\t42,", &list, &err), err);
	EXPECT_INT(list.count, 3);
	EXPECT_STR(list.names[0], "alice");
	EXPECT_STR(list.names[1], "bob's laptop");
	EXPECT_STR(list.names[2], "42");
}

TEST(no_names)
{
	static const char *const texts[] = {"", " ", ",", " ,\t, "};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		EXPECT_OK(name_list_parse(texts[i], &list, &err), err);
		EXPECT_INT(list.count, 0);
	}
}

TEST(what_is_too_much_is_refused)
{
	char text[4 * NAME_LIST_MAX];

	memset(text, 'a', NAME_LIST_BYTES);
	text[NAME_LIST_BYTES - 1] = '\0';
	EXPECT_OK(name_list_parse(text, &list, &err), err);
	EXPECT_STR(list.names[0], text);
	memcpy(text + NAME_LIST_BYTES - 1, "a", 2);
	EXPECT_ERR(name_list_parse(text, &list, &err), err, ERR_INVALID);
	for (size_t i = 0; i < NAME_LIST_MAX; i++)
		memcpy(text + 2 * i, "a,", 3);
	EXPECT_OK(name_list_parse(text, &list, &err), err);
	EXPECT_INT(list.count, NAME_LIST_MAX);
	memcpy(text + 2 * (size_t)NAME_LIST_MAX, "a", 2);
	EXPECT_ERR(name_list_parse(text, &list, &err), err, ERR_INVALID);
}
