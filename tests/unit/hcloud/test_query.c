#include "hcloud/query.h"

#include "tap.h"

TEST(names_repeat_and_are_decoded)
{
	struct query query;

	EXPECT(query_parse("id=1&id=2&label_selector=a%3Db%2Cc+x&flag&x=", &query));
	EXPECT_INT(query.count, 5);
	EXPECT_STR(query_get(&query, "id"), "2");
	EXPECT(query_has(&query, "id", "1"));
	EXPECT_STR(query_get(&query, "label_selector"), "a=b,c x");
	EXPECT_STR(query_get(&query, "flag"), "");
	EXPECT_STR(query_get(&query, "x"), "");
	EXPECT(query_get(&query, "nope") == NULL);
	query_release(&query);
}

TEST(broken_escapes_are_refused)
{
	static const char *const broken[] = {"a=%", "a=%4", "a=%zz", "a=%00", "%", "a=%ff"};

	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		struct query query;

		EXPECT(!query_parse(broken[i], &query));
		EXPECT_INT(query.count, 0);
	}
}

TEST(an_escape_at_the_end)
{
	struct query query;

	EXPECT(query_parse("a=%41", &query));
	EXPECT_STR(query_get(&query, "a"), "A");
	query_release(&query);
}
