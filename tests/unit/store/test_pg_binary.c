#include "store/pg_binary.h"

#include "base/rand.h"
#include "tap.h"

static const unsigned char *value_at(const struct pg_args *args, int index)
{
	const char *values[PG_ARGS_MAX];

	pg_args_values(args, values);
	return (const unsigned char *)values[index];
}

TEST(numbers_are_big_endian)
{
	CLEANUP(cleanup_pg_args) struct pg_args args;

	pg_args_init(&args);
	pg_args_i16(&args, -2);
	pg_args_i32(&args, 0x01020304);
	pg_args_i64(&args, -1);
	EXPECT_INT(args.count, 3);
	EXPECT_INT(args.lengths[0], 2);
	EXPECT_INT(args.lengths[1], 4);
	EXPECT_INT(args.lengths[2], 8);
	EXPECT(memcmp(value_at(&args, 0), "\xff\xfe", 2) == 0);
	EXPECT(memcmp(value_at(&args, 1), "\x01\x02\x03\x04", 4) == 0);
	EXPECT(memcmp(value_at(&args, 2), "\xff\xff\xff\xff\xff\xff\xff\xff", 8) == 0);
}

TEST(null_is_not_empty)
{
	CLEANUP(cleanup_pg_args) struct pg_args args;

	pg_args_init(&args);
	pg_args_text(&args, NULL);
	pg_args_text(&args, "");
	EXPECT_INT(args.lengths[0], -1);
	EXPECT(value_at(&args, 0) == NULL);
	EXPECT_INT(args.lengths[1], 0);
	EXPECT(value_at(&args, 1) != NULL);
}

TEST(foreign_bytes_become_question_marks)
{
	CLEANUP(cleanup_pg_args) struct pg_args args;

	pg_args_init(&args);
	pg_args_text(&args, "a\xff"
			    "b");
	pg_args_text(&args, "gr\xc3\xbcn");
	EXPECT(memcmp(value_at(&args, 0), "a?b", 3) == 0);
	EXPECT(memcmp(value_at(&args, 1), "gr\xc3\xbcn", 5) == 0);
}

TEST(arrays_have_a_header_and_lengths)
{
	static const char expected[] = "\0\0\0\1\0\0\0\1\0\0\0\x19\0\0\0\2\0\0\0\1"
				       "\xff\xff\xff\xff\0\0\0\2hi";
	CLEANUP(cleanup_pg_args) struct pg_args args;

	pg_args_init(&args);
	pg_args_array(&args, PG_TEXT, 2);
	pg_args_put_text(&args, NULL);
	pg_args_put_text(&args, "hi");
	EXPECT_INT(args.lengths[0], sizeof(expected) - 1);
	EXPECT(memcmp(value_at(&args, 0), expected, sizeof(expected) - 1) == 0);
}

TEST(empty_arrays_have_no_dimension)
{
	CLEANUP(cleanup_pg_args) struct pg_args args;

	pg_args_init(&args);
	pg_args_array(&args, PG_INT8, 0);
	EXPECT_INT(args.lengths[0], 12);
	EXPECT(memcmp(value_at(&args, 0), "\0\0\0\0\0\0\0\0\0\0\0\x14", 12) == 0);
}

/* A result of one row with one field of that type, format and bytes. */
static PGresult *result_of(Oid type, int format, char *bytes, int length)
{
	PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	char name[] = "c";
	PGresAttDesc column = {.name = name, .format = format, .typid = type};

	EXPECT(PQsetResultAttrs(result, 1, &column) != 0);
	EXPECT(PQsetvalue(result, 0, 0, bytes, length) != 0);
	return result;
}

TEST(reads_check_type_format_and_length)
{
	static const struct {
		Oid type;
		int format;
		int length;
		bool good;
	} rows[] = {
		{PG_INT8, 1, 8, true},	 {PG_INT8, 1, 7, false}, {PG_INT8, 1, 9, false},
		{PG_INT8, 0, 8, false},	 {PG_INT4, 1, 8, false}, {PG_INT8, 1, 0, false},
		{PG_INT8, 1, -1, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char bytes[16] = "\0\0\0\0\0\0\0\7";
		PGresult *result = result_of(rows[i].type, rows[i].format, bytes, rows[i].length);
		struct error err = {0};
		struct pg_fields fields = {.result = result, .err = &err};
		int64_t value = pg_field_i64(&fields, 0, 0);

		EXPECT_INT(!fields.failed, rows[i].good);
		EXPECT_INT(value, rows[i].good ? 7 : 0);
		EXPECT_INT(err.code, rows[i].good ? ERR_NONE : ERR_INTERNAL);
		PQclear(result);
	}
}

TEST(missing_rows_and_columns_are_errors)
{
	char bytes[8] = "";
	PGresult *result = result_of(PG_INT8, 1, bytes, 8);
	struct error err;
	struct pg_fields row = {.result = result, .err = &err};
	struct pg_fields column = {.result = result, .err = &err};

	EXPECT_INT(pg_field_i64(&row, 1, 0), 0);
	EXPECT(row.failed);
	EXPECT_INT(pg_field_i64(&column, 0, 1), 0);
	EXPECT(column.failed);
	EXPECT(!pg_field_is_null(&column, 3, 3));
	PQclear(result);
}

TEST(text_has_no_nul_inside)
{
	char bytes[4] = {'a', '\0', 'b', '\0'};
	PGresult *result = result_of(PG_TEXT, 1, bytes, 3);
	struct error err;
	struct pg_fields fields = {.result = result, .err = &err};
	size_t length = 99;

	EXPECT_STR(pg_field_text(&fields, 0, 0, &length), "");
	EXPECT_INT(length, 0);
	EXPECT(fields.failed);
	PQclear(result);
}

/* Whatever arrives, reads stay within the field (the sanitizers watch) and fail or succeed cleanly.
 */
TEST(random_fields_never_break_the_reader)
{
	static const Oid types[] = {PG_BOOL, PG_INT2, PG_INT4, PG_INT8, PG_TEXT, PG_BYTEA, 0};

	for (int round = 0; round < 20000; round++) {
		char bytes[32];
		int length = (int)rand_below(sizeof(bytes) + 1) - 1;
		PGresult *result;
		struct error err;
		struct pg_fields fields[5];
		size_t text_bytes = 0;

		rand_bytes(bytes, sizeof(bytes));
		result = result_of(types[rand_below(ARRAY_SIZE(types))], (int)rand_below(2), bytes,
				   length);
		for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
			fields[i] = (struct pg_fields){.result = result, .err = &err};
		(void)pg_field_bool(&fields[0], 0, 0);
		(void)pg_field_i16(&fields[1], 0, 0);
		(void)pg_field_i32(&fields[2], 0, 0);
		(void)pg_field_i64(&fields[3], 0, 0);
		EXPECT_INT(strlen(pg_field_text(&fields[4], 0, 0, &text_bytes)), text_bytes);
		PQclear(result);
	}
}
