/* Parameters of a call, rendered in PostgreSQL's text formats. */
#include "store/pg.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/check.h"
#include "core/limits.h"

/* A body of LIMIT_BODY_BYTES in which every byte is escaped still fits. PostgreSQL's own limit for
 * one value is 1 GiB. */
#define PARAM_BYTES_MAX (512 * MIB)

static void append_value(struct pg_params *params, const char *value, char *owned)
{
	CHECK(params->count < PG_PARAMS_MAX);
	params->values[params->count] = value;
	params->owned[params->count] = owned;
	params->count++;
}

static void append_owned(struct pg_params *params, char *owned)
{
	append_value(params, owned, owned);
}

static void append_buf(struct pg_params *params, struct buf *buf)
{
	CHECK(!buf->overflowed);
	append_owned(params, buf->bytes > 0 ? buf_detach(buf) : xstrdup(""));
}

void pg_params_release(struct pg_params *params)
{
	for (int i = 0; i < params->count; i++)
		free(params->owned[i]);
	*params = (struct pg_params){0};
}

void pg_param_text(struct pg_params *params, const char *text)
{
	append_value(params, text, NULL);
}

void pg_param_null(struct pg_params *params)
{
	append_value(params, NULL, NULL);
}

void pg_param_bool(struct pg_params *params, bool value)
{
	append_value(params, value ? "t" : "f", NULL);
}

void pg_param_i64(struct pg_params *params, int64_t number)
{
	append_owned(params, xasprintf("%" PRId64, number));
}

static void append_hex(struct buf *buf, const uint8_t *bytes, size_t count)
{
	static const char digits[] = "0123456789abcdef";

	char *out = buf_reserve(buf, count * 2);
	if (out == NULL)
		return;
	for (size_t i = 0; i < count; i++) {
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
	buf_commit(buf, count * 2);
}

void pg_param_bytes(struct pg_params *params, const void *data, size_t bytes)
{
	CLEANUP(cleanup_buf) struct buf buf;

	buf_init(&buf, PARAM_BYTES_MAX);
	buf_append_str(&buf, "\\x");
	append_hex(&buf, data, bytes);
	append_buf(params, &buf);
}

void pg_param_i64_array(struct pg_params *params, const int64_t *items, size_t count)
{
	CLEANUP(cleanup_buf) struct buf buf;

	buf_init(&buf, PARAM_BYTES_MAX);
	buf_append_char(&buf, '{');
	for (size_t i = 0; i < count; i++)
		buf_appendf(&buf, "%s%" PRId64, i > 0 ? "," : "", items[i]);
	buf_append_char(&buf, '}');
	append_buf(params, &buf);
}

/* Always quoted, so that only the quote and the backslash are special; unquoted NULL is NULL. */
static void append_array_text(struct buf *buf, const char *text)
{
	buf_append_char(buf, '"');
	while (*text != '\0') {
		size_t plain = strcspn(text, "\"\\");

		buf_append(buf, text, plain);
		text += plain;
		if (*text != '\0') {
			buf_append_char(buf, '\\');
			buf_append_char(buf, *text++);
		}
	}
	buf_append_char(buf, '"');
}

void pg_param_text_array(struct pg_params *params, const char *const *items, size_t count)
{
	CLEANUP(cleanup_buf) struct buf buf;

	buf_init(&buf, PARAM_BYTES_MAX);
	buf_append_char(&buf, '{');
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buf_append_char(&buf, ',');
		if (items[i] == NULL)
			buf_append_str(&buf, "NULL");
		else
			append_array_text(&buf, items[i]);
	}
	buf_append_char(&buf, '}');
	append_buf(params, &buf);
}

void pg_param_bytes_array(struct pg_params *params, const uint8_t *items, size_t item_bytes,
			  size_t count)
{
	CLEANUP(cleanup_buf) struct buf buf;

	buf_init(&buf, PARAM_BYTES_MAX);
	buf_append_char(&buf, '{');
	for (size_t i = 0; i < count; i++) {
		buf_append_str(&buf, i > 0 ? ",\"\\\\x" : "\"\\\\x");
		append_hex(&buf, items + i * item_bytes, item_bytes);
		buf_append_char(&buf, '"');
	}
	buf_append_char(&buf, '}');
	append_buf(params, &buf);
}
