#include <stdlib.h>

#include "database.h"
#include "store/pg.h"
#include "tap.h"

/* What `sql` makes of the parameters. */
static char *render(const char *sql, int count, const struct pg_params *params)
{
	struct pg *pg = NULL;
	struct error err;
	PGresult *result = NULL;
	const struct pg_statement statement = {.name = "test", .sql = sql, .param_count = count};

	EXPECT_OK(pg_open(getenv("RGRID_TEST_CONNINFO"), &pg, &err), err);
	EXPECT_OK(pg_run(pg, &statement, params, &result, &err), err);
	char *text = xstrdup(pg_get_text(result, 0, 0));
	PQclear(result);
	pg_free(pg);
	return text;
}

TEST(text_array_keeps_every_byte)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	const char *items[] = {"plain",	      "",      "NULL",	   NULL,     "quote\"",
			       "back\\slash", "{a,b}", " sp ace ", "\t\n\r", "ünï"};

	pg_param_text_array(&params, items, ARRAY_SIZE(items));
	for (size_t i = 0; i < ARRAY_SIZE(items); i++)
		pg_param_text(&params, items[i]);
	CLEANUP(cleanup_free)
	char *same = render("SELECT $1::text[] IS NOT DISTINCT FROM ARRAY[$2, $3, $4, $5, $6, $7, "
			    "$8, $9, $10, $11]",
			    11, &params);
	EXPECT_STR(same, "t");
}

TEST(text_array_escapes_quote_and_backslash)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	const char *items[] = {"a\"b\\c", NULL};

	pg_param_text_array(&params, items, 2);
	EXPECT_STR(params.values[0], "{\"a\\\"b\\\\c\",NULL}");
}

TEST(empty_arrays)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};

	pg_param_text_array(&params, NULL, 0);
	pg_param_i64_array(&params, NULL, 0);
	pg_param_bytes_array(&params, NULL, 32, 0);
	CLEANUP(cleanup_free)
	char *sum = render("SELECT cardinality($1::text[]) + cardinality($2::int8[]) + "
			   "cardinality($3::bytea[])",
			   3, &params);
	EXPECT_STR(sum, "0");
}

TEST(numbers)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	const int64_t items[] = {INT64_MIN, -1, 0, INT64_MAX};

	pg_param_i64(&params, INT64_MIN);
	pg_param_i64(&params, INT64_MAX);
	pg_param_i64_array(&params, items, 4);
	CLEANUP(cleanup_free)
	char *same = render("SELECT $3::int8[] = ARRAY[$1::int8, -1, 0, $2::int8]", 3, &params);
	EXPECT_STR(same, "t");
}

TEST(bytes)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	uint8_t data[256];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)i;
	pg_param_bytes(&params, data, sizeof(data));
	pg_param_bytes(&params, data, 0);
	pg_param_bytes_array(&params, data, 128, 2);
	CLEANUP(cleanup_free)
	char *same = render(
		"SELECT $1 = ($3::bytea[])[1] || ($3::bytea[])[2] AND octet_length($2::bytea) = 0 "
		"AND get_byte($1, 255) = 255",
		3, &params);
	EXPECT_STR(same, "t");
}

TEST(null_and_bool)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};

	pg_param_null(&params);
	pg_param_text(&params, NULL);
	pg_param_bool(&params, true);
	pg_param_bool(&params, false);
	CLEANUP(cleanup_free)
	char *right =
		render("SELECT $1::text IS NULL AND $2::text IS NULL AND $3::bool AND NOT $4::bool",
		       4, &params);
	EXPECT_STR(right, "t");
}
