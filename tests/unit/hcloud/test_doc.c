#include "hcloud/doc.h"

#include "tap.h"

static json_t *doc(int64_t id, const char *name)
{
	return json_pack("{s:I,s:s,s:i}", "id", (json_int_t)id, "name", name, "_secret", 1);
}

TEST(a_table_finds_by_id_and_name)
{
	struct table table = {.count = 0};

	for (int64_t id = 1; id <= 100; id++)
		table_add(&table, doc(3 * id, id == 7 ? "seven" : "other"));
	EXPECT_INT(doc_id(table_find(&table, 3)), 3);
	EXPECT_INT(doc_id(table_find(&table, 300)), 300);
	EXPECT(table_find(&table, 4) == NULL);
	EXPECT(table_find(&table, 0) == NULL);
	EXPECT(table_find(&table, 301) == NULL);
	EXPECT_INT(doc_id(table_find_name(&table, "seven")), 21);
	table_remove(&table, 21);
	EXPECT(table_find(&table, 21) == NULL);
	EXPECT(table_find_name(&table, "seven") == NULL);
	EXPECT_INT(table.count, 99);
	EXPECT_INT(doc_id(table_find(&table, 24)), 24);
	table_release(&table);
}

TEST(the_public_copy_has_no_secrets_and_is_deep)
{
	json_t *original = doc(1, "a");
	json_t *labels = json_pack("{s:s}", "k", "v");

	doc_set(original, "labels", labels);
	json_t *copy = doc_public(original);
	EXPECT(json_object_get(copy, "_secret") == NULL);
	EXPECT_STR(doc_str(copy, "name"), "a");
	doc_set_str(labels, "k", "changed");
	EXPECT_STR(doc_str(json_object_get(copy, "labels"), "k"), "v");
	json_decref(copy);
	json_decref(original);
}

TEST(kinds_have_words)
{
	EXPECT_INT(kind_parse("ssh_key"), KIND_SSH_KEY);
	EXPECT_INT(kind_parse("nothing"), KIND_NONE);
	EXPECT_STR(kind_plural(KIND_SERVER_TYPE), "server_types");
	EXPECT(!kind_is_in_project(KIND_LOCATION));
}
