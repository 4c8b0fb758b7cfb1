#include "core/server_choice.h"

#include <string.h>

#include "tap.h"

TEST(choices_are_read_in_order)
{
	static const char *const texts[] = {"cx23:nbg1,cpx11-a:hel1", "cx23:nbg1, cpx11-a:hel1",
					    " ,cx23:nbg1 cpx11-a:hel1, ,"};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct server_choice choices[2];
		struct error err;
		size_t count = 0;

		EXPECT_OK(server_choices_parse(texts[i], choices, 2, &count, &err), err);
		EXPECT_INT(count, 2);
		EXPECT_STR(choices[0].server_type, "cx23");
		EXPECT_STR(choices[0].location, "nbg1");
		EXPECT_STR(choices[1].server_type, "cpx11-a");
		EXPECT_STR(choices[1].location, "hel1");
	}
}

TEST(other_choices_are_refused)
{
	static const char *const texts[] = {
		"",
		" , ",
		"cx23",
		":nbg1",
		"cx23:",
		":",
		"cx23:nbg1:x",
		"cx23:nbg1,cx33",
		"CX23:nbg1",
		"cx23:nbg1;",
		"cx23:nbg1\ncx33",
		"cx23:nb\xc3\xa4",
		"a:b c:d e:f",
		"cx23:/../x",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct server_choice choices[2];
		struct error err = {0};
		size_t count = 0;

		if (server_choices_parse(texts[i], choices, 2, &count, &err) == 0)
			tap_fail(__FILE__, __LINE__, "\"%s\" was read", texts[i]);
		EXPECT_INT(err.code, ERR_INVALID);
		EXPECT_INT(count, 0);
	}
}

TEST(names_that_are_too_long_are_refused)
{
	char text[FLEET_NAME_BYTES + 8];
	struct server_choice choice;
	struct error err;
	size_t count = 0;

	memset(text, 'a', FLEET_NAME_BYTES - 1);
	memcpy(text + FLEET_NAME_BYTES - 1, ":x", 3);
	EXPECT_OK(server_choices_parse(text, &choice, 1, &count, &err), err);
	EXPECT_INT(strlen(choice.server_type), FLEET_NAME_BYTES - 1);
	memcpy(text + FLEET_NAME_BYTES - 1, "a:x", 4);
	EXPECT_ERR(server_choices_parse(text, &choice, 1, &count, &err), err, ERR_INVALID);
	EXPECT(strstr(err.hint, "cx23:nbg1") != NULL);
}
