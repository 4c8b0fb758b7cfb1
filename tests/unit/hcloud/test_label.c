#include "hcloud/label.h"

#include "tap.h"

static bool key(const char *text)
{
	return label_key_is_valid(text, strlen(text));
}

static bool value(const char *text)
{
	return label_value_is_valid(text, strlen(text));
}

TEST(keys)
{
	EXPECT(key("a"));
	EXPECT(key("managed-by"));
	EXPECT(key("example.com/role_1.x"));
	EXPECT(!key(""));
	EXPECT(!key("-a"));
	EXPECT(!key("a-"));
	EXPECT(!key("a b"));
	EXPECT(!key("/a"));
	EXPECT(!key("example.com/"));
	EXPECT(!key("a/b/c"));
	EXPECT(!key("example..com/a"));
	EXPECT(!key("b\303\244r"));
}

TEST(sixty_three_characters_and_no_more)
{
	char text[65];

	memset(text, 'a', sizeof(text));
	text[64] = '\0';
	EXPECT(!key(text));
	EXPECT(!value(text));
	text[63] = '\0';
	EXPECT(key(text));
	EXPECT(value(text));
}

TEST(values)
{
	EXPECT(value(""));
	EXPECT(value("A.b_c-9"));
	EXPECT(!value(".a"));
	EXPECT(!value("a_"));
	EXPECT(!value("2026-01-01T00:00:00Z"));
	EXPECT(!value("me@example.com"));
}

TEST(the_reserved_prefix)
{
	struct problem problem;
	json_t *labels = json_pack("{s:s}", "hetzner.cloud/x", "y");

	EXPECT_INT(labels_check(labels, &problem), -1);
	EXPECT_INT(problem.code, PROBLEM_INVALID_INPUT);
	EXPECT_STR(problem.name, "labels");
	json_decref(labels);
}

TEST(host_names)
{
	EXPECT(hostname_is_valid("worker-1"));
	EXPECT(hostname_is_valid("a.example.com"));
	EXPECT(hostname_is_valid("1"));
	EXPECT(!hostname_is_valid(""));
	EXPECT(!hostname_is_valid("a_b"));
	EXPECT(!hostname_is_valid("-a"));
	EXPECT(!hostname_is_valid("a-"));
	EXPECT(!hostname_is_valid("a-.b"));
	EXPECT(!hostname_is_valid("a..b"));
	EXPECT(!hostname_is_valid("a."));
}
