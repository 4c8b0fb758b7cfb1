#include "hcloud/selector.h"

#include "tap.h"

static bool matches(const char *text, const char *labels_json)
{
	CLEANUP(cleanup_selector) struct selector *selector = NULL;
	char problem[SELECTOR_ERROR_BYTES];
	json_t *labels = json_loads(labels_json, 0, NULL);

	EXPECT(labels != NULL);
	if (selector_parse(text, &selector, problem) < 0)
		tap_fail(__FILE__, __LINE__, "%s: %s", text, problem);
	bool result = selector_matches(selector, labels);
	json_decref(labels);
	return result;
}

static void expect_problem(const char *text, const char *expected)
{
	struct selector *selector = NULL;
	char problem[SELECTOR_ERROR_BYTES];

	EXPECT_INT(selector_parse(text, &selector, problem), -1);
	EXPECT_STR(problem, expected);
}

#define LABELS "{\"env\": \"prod\", \"team/role\": \"db\", \"empty\": \"\"}"

TEST(every_operator)
{
	EXPECT(matches("env=prod", LABELS));
	EXPECT(matches("env==prod", LABELS));
	EXPECT(!matches("env=test", LABELS));
	EXPECT(matches("env!=test", LABELS));
	EXPECT(!matches("env!=prod", LABELS));
	EXPECT(matches("env", LABELS));
	EXPECT(!matches("nope", LABELS));
	EXPECT(matches("!nope", LABELS));
	EXPECT(!matches("!env", LABELS));
	EXPECT(matches("env in (test,prod)", LABELS));
	EXPECT(!matches("env in (test)", LABELS));
	EXPECT(matches("env notin (test)", LABELS));
	EXPECT(!matches("env notin (test, prod)", LABELS));
}

TEST(what_is_absent_is_not_equal)
{
	EXPECT(matches("nope!=x", LABELS));
	EXPECT(matches("nope notin (x)", LABELS));
	EXPECT(!matches("nope=", LABELS));
	EXPECT(matches("empty=", LABELS));
}

TEST(comma_means_and)
{
	EXPECT(matches("env=prod,team/role=db", LABELS));
	EXPECT(!matches("env=prod,team/role=web", LABELS));
	EXPECT(matches("env in (prod,x),!nope", LABELS));
	EXPECT(matches(" env = prod , team/role ", LABELS));
	EXPECT(matches("", LABELS));
}

TEST(keys_that_begin_like_operators)
{
	EXPECT(matches("in in (a)", "{\"in\": \"a\"}"));
	EXPECT(matches("notin=a", "{\"notin\": \"a\"}"));
	EXPECT(matches("inner", "{\"inner\": \"a\"}"));
}

TEST(problems_say_where)
{
	expect_problem("env prod", "expected comma at pos 4");
	expect_problem("=prod", "expected label key at pos 0");
	expect_problem("env=prod,", "expected label key at pos 9");
	expect_problem("env in prod", "expected opening parenthesis at pos 7");
	expect_problem("env in (prod", "expected closing parenthesis at pos 12");
	expect_problem("env=-x", "expected label value at pos 4");
}

TEST(too_many_terms_are_refused)
{
	char text[1024] = "a";

	for (size_t i = 1; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, ",a", 3);
	struct selector *selector = NULL;
	char problem[SELECTOR_ERROR_BYTES];
	EXPECT_INT(selector_parse(text, &selector, problem), -1);
}
