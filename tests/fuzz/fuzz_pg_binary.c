/* A row of a result as a hostile server might send it: the first bytes choose types, formats and
 * lengths, the rest are the fields. */
#include "store/pg_binary.h"

#include <stdlib.h>

#define COLUMNS 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(const PGresult *result)
{
	for (int column = 0; column <= COLUMNS; column++) {
		struct error err;
		struct pg_fields fields[5];
		size_t bytes = 0;

		for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
			fields[i] = (struct pg_fields){.result = result, .err = &err};
		(void)pg_field_bool(&fields[0], 0, column);
		(void)pg_field_i16(&fields[1], 0, column);
		(void)pg_field_i32(&fields[2], 0, column);
		(void)pg_field_i64(&fields[3], 0, column);
		if (strlen(pg_field_text(&fields[4], 0, column, &bytes)) != bytes)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const Oid types[] = {PG_BOOL, PG_INT2, PG_INT4, PG_INT8, PG_TEXT, PG_BYTEA};
	PGresAttDesc columns[COLUMNS] = {0};
	char name[] = "c";
	PGresult *result;

	if (size < (size_t)COLUMNS * 2)
		return 0;
	for (size_t i = 0; i < COLUMNS; i++) {
		columns[i].name = name;
		columns[i].typid = types[data[i * 2] % ARRAY_SIZE(types)];
		columns[i].format = data[i * 2] >> 7;
	}
	result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	if (!result || !PQsetResultAttrs(result, COLUMNS, columns))
		abort();
	for (size_t i = 0, at = (size_t)COLUMNS * 2; i < COLUMNS; i++) {
		size_t bytes = data[i * 2 + 1] % 24;
		char field[24];

		if (bytes > size - at)
			bytes = size - at;
		memcpy(field, data + at, bytes);
		at += bytes;
		if (!PQsetvalue(result, 0, (int)i, field, bytes == 23 ? -1 : (int)bytes))
			abort();
	}
	read_all(result);
	PQclear(result);
	return 0;
}
