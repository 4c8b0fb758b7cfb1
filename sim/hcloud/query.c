#include "hcloud/query.h"

#include <string.h>

#include "base/error.h"
#include "base/str.h"

#define ITEMS_MAX 256

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* NULL when an escape is broken. */
static char *decode(const char *text, size_t bytes)
{
	CLEANUP(cleanup_free) char *out = xcalloc(1, bytes + 1);
	size_t used = 0;

	for (size_t i = 0; i < bytes; i++) {
		char c = text[i] == '+' ? ' ' : text[i];

		if (c == '%') {
			bool is_whole = i + 2 < bytes;
			int high = is_whole ? hex_value(text[i + 1]) : -1;
			int low = is_whole ? hex_value(text[i + 2]) : -1;

			if (high < 0 || low < 0 || (high == 0 && low == 0))
				return NULL;
			c = (char)(unsigned char)(high * 16 + low);
			i += 2;
		}
		out[used++] = c;
	}
	return str_is_utf8(out, used) ? TAKE_PTR(out) : NULL;
}

static bool add(struct query *query, const char *text, size_t bytes)
{
	const char *equals = memchr(text, '=', bytes);
	size_t name_bytes = equals ? (size_t)(equals - text) : bytes;
	struct query_item item = {.name = decode(text, name_bytes)};

	item.value = equals ? decode(equals + 1, bytes - name_bytes - 1) : xstrdup("");
	if (!item.name || !item.value || query->count == ITEMS_MAX) {
		free(item.name);
		free(item.value);
		return false;
	}
	query->items[query->count++] = item;
	return true;
}

bool query_parse(const char *text, struct query *ret)
{
	*ret = (struct query){.items = xcalloc(ITEMS_MAX, sizeof(struct query_item))};
	while (*text) {
		size_t bytes = strcspn(text, "&");

		if (bytes > 0 && !add(ret, text, bytes)) {
			query_release(ret);
			return false;
		}
		text += bytes + (text[bytes] == '&');
	}
	return true;
}

void query_release(struct query *query)
{
	for (size_t i = 0; i < query->count; i++) {
		free(query->items[i].name);
		free(query->items[i].value);
	}
	free(query->items);
	*query = (struct query){0};
}

const char *query_get(const struct query *query, const char *name)
{
	for (size_t i = query->count; i > 0; i--) {
		if (str_eq(query->items[i - 1].name, name))
			return query->items[i - 1].value;
	}
	return NULL;
}

bool query_has(const struct query *query, const char *name, const char *value)
{
	for (size_t i = 0; i < query->count; i++) {
		if (str_eq(query->items[i].name, name) && str_eq(query->items[i].value, value))
			return true;
	}
	return false;
}
