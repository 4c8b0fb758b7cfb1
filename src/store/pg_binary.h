/* PostgreSQL's binary wire form, both ways: the parameters of one call, and checked reads of the
 * columns of a result. Numbers are big-endian; an array is its dimension, a null flag, the
 * element's type, a length, a lower bound, then each element with its length in front.
 *
 * What comes back is treated as hostile: every type, format and length is checked before a byte is
 * read. Parameters are ours; to exceed PG_ARGS_BYTES_MAX with them is a bug. */
#pragma once

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

/* Types by their object identifiers, which PostgreSQL never changes. */
enum pg_type {
	PG_BOOL = 16,
	PG_BYTEA = 17,
	PG_INT8 = 20,
	PG_INT2 = 21,
	PG_INT4 = 23,
	PG_TEXT = 25,
	PG_BOOL_ARRAY = 1000,
	PG_BYTEA_ARRAY = 1001,
	PG_INT2_ARRAY = 1005,
	PG_INT4_ARRAY = 1007,
	PG_TEXT_ARRAY = 1009,
	PG_INT8_ARRAY = 1016,
};

#define PG_ARGS_MAX	  16
#define PG_ARGS_BYTES_MAX ((size_t)64 << 20)

/* The parameters of one call, $1 first. Lifecycle: pg_args_init … pg_args_release. */
struct pg_args {
	struct buf bytes;
	size_t offsets[PG_ARGS_MAX];
	int lengths[PG_ARGS_MAX]; /* -1: NULL */
	int count;
	size_t array_left; /* elements that the open array still expects */
};

void pg_args_init(struct pg_args *args);
void pg_args_release(struct pg_args *args);
#define cleanup_pg_args pg_args_release

void pg_args_bool(struct pg_args *args, bool value);
void pg_args_i16(struct pg_args *args, int16_t value);
void pg_args_i32(struct pg_args *args, int32_t value);
void pg_args_i64(struct pg_args *args, int64_t value);
/* NULL text is SQL NULL. Text that PostgreSQL would refuse (not UTF-8) is sent with '?' for every
 * byte outside ASCII. */
void pg_args_text(struct pg_args *args, const char *text);
void pg_args_bytes(struct pg_args *args, const void *data, size_t bytes);

/* An array parameter of exactly `count` elements, which must follow one by one. */
void pg_args_array(struct pg_args *args, enum pg_type element, size_t count);
void pg_args_put_bool(struct pg_args *args, bool value);
void pg_args_put_i16(struct pg_args *args, int16_t value);
void pg_args_put_i32(struct pg_args *args, int32_t value);
void pg_args_put_i64(struct pg_args *args, int64_t value);
void pg_args_put_text(struct pg_args *args, const char *text); /* as pg_args_text */
void pg_args_put_bytes(struct pg_args *args, const void *data, size_t bytes);

/* What libpq wants; the pointers are good until the next pg_args_* call. */
void pg_args_values(const struct pg_args *args, const char *values[PG_ARGS_MAX]);

/* Reads of one field. ERR_INTERNAL, naming row and column, unless the field is there, binary, of
 * that type and length. The first failure sticks in err: callers read all, then look once at
 * fields->failed. */
struct pg_fields {
	const PGresult *result;
	struct error *err;
	bool failed;
};

bool pg_field_is_null(struct pg_fields *fields, int row, int column);
bool pg_field_bool(struct pg_fields *fields, int row, int column);
int16_t pg_field_i16(struct pg_fields *fields, int row, int column);
int32_t pg_field_i32(struct pg_fields *fields, int row, int column);
int64_t pg_field_i64(struct pg_fields *fields, int row, int column);
/* Borrowed from the result, NUL-terminated, no NUL inside; "" on failure. */
const char *pg_field_text(struct pg_fields *fields, int row, int column, size_t *ret_bytes);
