#include "store/pg_binary.h"

#include <endian.h>
#include <limits.h>

#include "base/check.h"
#include "base/str.h"

void pg_args_init(struct pg_args *args)
{
	*args = (struct pg_args){0};
	buf_init(&args->bytes, PG_ARGS_BYTES_MAX);
}

void pg_args_release(struct pg_args *args)
{
	buf_release(&args->bytes);
}

static void append_u16(struct buf *out, uint16_t value)
{
	value = htobe16(value);
	buf_append(out, &value, sizeof(value));
}

static void append_u32(struct buf *out, uint32_t value)
{
	value = htobe32(value);
	buf_append(out, &value, sizeof(value));
}

static void append_u64(struct buf *out, uint64_t value)
{
	value = htobe64(value);
	buf_append(out, &value, sizeof(value));
}

static void append_text(struct buf *out, const char *text, size_t bytes)
{
	if (str_is_utf8(text, bytes)) {
		buf_append(out, text, bytes);
		return;
	}
	for (size_t i = 0; i < bytes; i++) {
		bool is_ascii = (unsigned char)text[i] < 0x80;

		buf_append(out, is_ascii ? &text[i] : "?", 1);
	}
}

/* Opens the next parameter; what is appended up to arg_end is its value. */
static void arg_begin(struct pg_args *args)
{
	CHECK(args->count < PG_ARGS_MAX);
	CHECK(args->array_left == 0);
	args->offsets[args->count] = args->bytes.bytes;
}

static void arg_end(struct pg_args *args)
{
	CHECK(!args->bytes.overflowed);
	args->lengths[args->count] = (int)(args->bytes.bytes - args->offsets[args->count]);
	args->count++;
}

void pg_args_bool(struct pg_args *args, bool value)
{
	arg_begin(args);
	buf_append_char(&args->bytes, value ? 1 : 0);
	arg_end(args);
}

void pg_args_i16(struct pg_args *args, int16_t value)
{
	arg_begin(args);
	append_u16(&args->bytes, (uint16_t)value);
	arg_end(args);
}

void pg_args_i32(struct pg_args *args, int32_t value)
{
	arg_begin(args);
	append_u32(&args->bytes, (uint32_t)value);
	arg_end(args);
}

void pg_args_i64(struct pg_args *args, int64_t value)
{
	arg_begin(args);
	append_u64(&args->bytes, (uint64_t)value);
	arg_end(args);
}

void pg_args_text(struct pg_args *args, const char *text)
{
	arg_begin(args);
	if (text)
		append_text(&args->bytes, text, strlen(text));
	arg_end(args);
	if (!text)
		args->lengths[args->count - 1] = -1;
}

void pg_args_bytes(struct pg_args *args, const void *data, size_t bytes)
{
	arg_begin(args);
	buf_append(&args->bytes, data, bytes);
	arg_end(args);
}

void pg_args_array(struct pg_args *args, enum pg_type element, size_t count)
{
	CHECK(count <= INT32_MAX);
	arg_begin(args);
	append_u32(&args->bytes, count > 0 ? 1 : 0); /* dimensions */
	append_u32(&args->bytes, 0);		     /* set by the first NULL */
	append_u32(&args->bytes, (uint32_t)element);
	if (count > 0) {
		append_u32(&args->bytes, (uint32_t)count);
		append_u32(&args->bytes, 1); /* lower bound */
	}
	arg_end(args);
	args->array_left = count;
}

/* The element's length; its bytes follow. */
static void element_begin(struct pg_args *args, size_t bytes)
{
	CHECK(args->array_left > 0);
	args->array_left--;
	append_u32(&args->bytes, (uint32_t)bytes);
}

static void element_end(struct pg_args *args)
{
	int last = args->count - 1;

	CHECK(!args->bytes.overflowed);
	args->lengths[last] = (int)(args->bytes.bytes - args->offsets[last]);
}

void pg_args_put_bool(struct pg_args *args, bool value)
{
	element_begin(args, 1);
	buf_append_char(&args->bytes, value ? 1 : 0);
	element_end(args);
}

void pg_args_put_i16(struct pg_args *args, int16_t value)
{
	element_begin(args, sizeof(value));
	append_u16(&args->bytes, (uint16_t)value);
	element_end(args);
}

void pg_args_put_i32(struct pg_args *args, int32_t value)
{
	element_begin(args, sizeof(value));
	append_u32(&args->bytes, (uint32_t)value);
	element_end(args);
}

void pg_args_put_i64(struct pg_args *args, int64_t value)
{
	element_begin(args, sizeof(value));
	append_u64(&args->bytes, (uint64_t)value);
	element_end(args);
}

void pg_args_put_text(struct pg_args *args, const char *text)
{
	if (!text) {
		const uint32_t has_null = htobe32(1);

		CHECK(args->array_left > 0);
		args->array_left--;
		append_u32(&args->bytes, UINT32_MAX);
		memcpy(args->bytes.data + args->offsets[args->count - 1] + 4, &has_null,
		       sizeof(has_null));
	} else {
		size_t bytes = strlen(text);

		element_begin(args, bytes);
		append_text(&args->bytes, text, bytes);
	}
	element_end(args);
}

void pg_args_put_bytes(struct pg_args *args, const void *data, size_t bytes)
{
	element_begin(args, bytes);
	buf_append(&args->bytes, data, bytes);
	element_end(args);
}

void pg_args_values(const struct pg_args *args, const char *values[PG_ARGS_MAX])
{
	CHECK(args->array_left == 0);
	for (int i = 0; i < args->count; i++)
		values[i] = args->lengths[i] < 0 ? NULL : args->bytes.data + args->offsets[i];
}

static void field_fail(struct pg_fields *fields, int row, int column, const char *why)
{
	if (fields->failed)
		return;
	fields->failed = true;
	(void)error_set(fields->err, ERR_INTERNAL,
			"the database's answer does not fit: row %d, column %d %s", row, column,
			why);
}

/* The field's bytes if it has that type and length (-1: any), else NULL. */
static const char *field_bytes(struct pg_fields *fields, int row, int column, enum pg_type type,
			       int bytes)
{
	const PGresult *result = fields->result;

	if (fields->failed)
		return NULL;
	if (row >= PQntuples(result) || column >= PQnfields(result)) {
		field_fail(fields, row, column, "is missing");
		return NULL;
	}
	if (PQfformat(result, column) != 1 || PQftype(result, column) != (Oid)type) {
		field_fail(fields, row, column, "has another type");
		return NULL;
	}
	if (PQgetisnull(result, row, column)) {
		field_fail(fields, row, column, "is NULL");
		return NULL;
	}
	if (bytes >= 0 && PQgetlength(result, row, column) != bytes) {
		field_fail(fields, row, column, "has another length");
		return NULL;
	}
	return PQgetvalue(result, row, column);
}

bool pg_field_is_null(struct pg_fields *fields, int row, int column)
{
	return row < PQntuples(fields->result) && column < PQnfields(fields->result) &&
	       PQgetisnull(fields->result, row, column) == 1;
}

bool pg_field_bool(struct pg_fields *fields, int row, int column)
{
	const char *bytes = field_bytes(fields, row, column, PG_BOOL, 1);

	return bytes && bytes[0] != 0;
}

int16_t pg_field_i16(struct pg_fields *fields, int row, int column)
{
	const char *bytes = field_bytes(fields, row, column, PG_INT2, 2);
	uint16_t value = 0;

	if (bytes)
		memcpy(&value, bytes, sizeof(value));
	return (int16_t)be16toh(value);
}

int32_t pg_field_i32(struct pg_fields *fields, int row, int column)
{
	const char *bytes = field_bytes(fields, row, column, PG_INT4, 4);
	uint32_t value = 0;

	if (bytes)
		memcpy(&value, bytes, sizeof(value));
	return (int32_t)be32toh(value);
}

int64_t pg_field_i64(struct pg_fields *fields, int row, int column)
{
	const char *bytes = field_bytes(fields, row, column, PG_INT8, 8);
	uint64_t value = 0;

	if (bytes)
		memcpy(&value, bytes, sizeof(value));
	return (int64_t)be64toh(value);
}

const char *pg_field_text(struct pg_fields *fields, int row, int column, size_t *ret_bytes)
{
	const char *bytes = field_bytes(fields, row, column, PG_TEXT, -1);
	size_t length = 0;

	if (bytes) {
		length = (size_t)PQgetlength(fields->result, row, column);
		if (memchr(bytes, 0, length) != NULL) {
			field_fail(fields, row, column, "has a NUL inside");
			bytes = NULL;
			length = 0;
		}
	}
	*ret_bytes = length;
	return bytes ? bytes : "";
}
