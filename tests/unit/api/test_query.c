#include "api/query.h"
#include "tap.h"

static void expect_decoded(const char *text, bool plus_is_space, const char *expected)
{
	char buffer[128];
	struct error err;

	(void)snprintf(buffer, sizeof(buffer), "%s", text);
	EXPECT_OK(url_decode(buffer, plus_is_space, "it", &err), err);
	EXPECT_STR(buffer, expected);
}

static void expect_refused(const char *text)
{
	char buffer[128];
	struct error err;

	(void)snprintf(buffer, sizeof(buffer), "%s", text);
	EXPECT_ERR(url_decode(buffer, true, "it", &err), err, ERR_INVALID);
}

TEST(percent_encoding_is_decoded)
{
	expect_decoded("", true, "");
	expect_decoded("a%20b%2Fc%2f", false, "a b/c/");
	expect_decoded("a+b", true, "a b");
	expect_decoded("a+b", false, "a+b");
	expect_decoded("%C3%A4", false, "ä");
	expect_decoded("%2541", false, "%41");
}

TEST(broken_encoding_is_refused)
{
	expect_refused("%");
	expect_refused("%4");
	expect_refused("%zz");
	expect_refused("%4g");
	expect_refused("a%00b");
	expect_refused("%ff");
	expect_refused("%C3");
	expect_refused("%ED%A0%80");
}

TEST(a_query_is_split)
{
	CLEANUP(cleanup_query) struct query query;
	struct error err;

	EXPECT_OK(query_parse("state=queued&label=a%3Db&label=c=d&flag&&empty=", &query, &err),
		  err);
	EXPECT_INT(query.count, 5);
	EXPECT_STR(query_get(&query, "state"), "queued");
	EXPECT_STR(query_get(&query, "label"), "a=b");
	EXPECT_STR(query.params[2].value, "c=d");
	EXPECT_STR(query_get(&query, "flag"), "");
	EXPECT_STR(query_get(&query, "empty"), "");
	EXPECT(query_get(&query, "stat") == NULL);
}

TEST(no_query_has_no_parameters)
{
	struct query query;
	struct error err;

	EXPECT_OK(query_parse(NULL, &query, &err), err);
	EXPECT_INT(query.count, 0);
	EXPECT_OK(query_parse("", &query, &err), err);
	EXPECT_INT(query.count, 0);
}

TEST(too_many_parameters_are_refused)
{
	char text[2 * (LIMIT_QUERY_PARAMS + 1) + 1];
	struct query query;
	struct error err;

	for (size_t i = 0; i < sizeof(text) - 1; i += 2)
		memcpy(text + i, "a&", 2);
	text[sizeof(text) - 1] = '\0';
	EXPECT_ERR(query_parse(text, &query, &err), err, ERR_INVALID);
	text[2 * LIMIT_QUERY_PARAMS] = '\0';
	EXPECT_OK(query_parse(text, &query, &err), err);
	query_release(&query);
}

static int check(const char *text, const char *allowed, struct error *err)
{
	CLEANUP(cleanup_query) struct query query;

	EXPECT_OK(query_parse(text, &query, err), *err);
	return query_check(&query, allowed, err);
}

TEST(unknown_and_repeated_parameters_are_refused)
{
	struct error err;

	EXPECT_OK(check("limit=1&label=a&label=b", "state label* limit", &err), err);
	EXPECT_OK(check(NULL, "", &err), err);
	EXPECT_ERR(check("limt=1", "state label* limit", &err), err, ERR_INVALID);
	EXPECT_STR(err.field, "limt");
	EXPECT_STR(err.hint, "did you mean \"limit\"?");
	EXPECT_ERR(check("limit=1&limit=1", "state label* limit", &err), err, ERR_INVALID);
	EXPECT_STR(err.field, "limit");
	EXPECT_ERR(check("anything", "", &err), err, ERR_INVALID);
}

TEST(flags_are_words_or_digits)
{
	CLEANUP(cleanup_query) struct query query;
	struct error err;
	bool value;

	EXPECT_OK(query_parse("a&b=1&c=true&d=0&e=false&f=yes", &query, &err), err);
	EXPECT_OK(query_get_bool(&query, "a", &value, &err), err);
	EXPECT(value);
	EXPECT_OK(query_get_bool(&query, "b", &value, &err), err);
	EXPECT(value);
	EXPECT_OK(query_get_bool(&query, "c", &value, &err), err);
	EXPECT(value);
	EXPECT_OK(query_get_bool(&query, "d", &value, &err), err);
	EXPECT(!value);
	EXPECT_OK(query_get_bool(&query, "e", &value, &err), err);
	EXPECT(!value);
	EXPECT_OK(query_get_bool(&query, "absent", &value, &err), err);
	EXPECT(!value);
	EXPECT_ERR(query_get_bool(&query, "f", &value, &err), err, ERR_INVALID);
}
