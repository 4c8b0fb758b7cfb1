#include "api/query.h"

#include <stdlib.h>
#include <string.h>

#include "api/refuse.h"
#include "base/check.h"
#include "base/str.h"

#define NAMES_MAX      16 /* parameters that one route takes */
#define NAME_BYTES_MAX 32

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int url_decode(char *text, bool plus_is_space, const char *what, struct error *err)
{
	char *out = text;

	for (const char *in = text; *in != '\0'; in++) {
		if (*in == '+' && plus_is_space) {
			*out++ = ' ';
		} else if (*in == '%') {
			int high = hex_digit(in[1]);
			int low = high < 0 ? -1 : hex_digit(in[2]);

			if (low < 0)
				return error_set(err, ERR_INVALID,
						 "%s has a %% that two hexadecimal digits do not "
						 "follow",
						 what);
			if (high == 0 && low == 0)
				return error_set(err, ERR_INVALID, "%s has a NUL character", what);
			*out++ = (char)(high * 16 + low);
			in += 2;
		} else {
			*out++ = *in;
		}
	}
	*out = '\0';
	if (!str_is_utf8(text, (size_t)(out - text)))
		return error_set(err, ERR_INVALID, "%s is not UTF-8", what);
	return 0;
}

static int parse_param(char *text, struct query *query, struct error *err)
{
	char *equals = strchr(text, '=');
	char *value = text + strlen(text);

	if (query->count == LIMIT_QUERY_PARAMS)
		return error_set(err, ERR_INVALID, "the query has more than %d parameters",
				 LIMIT_QUERY_PARAMS);
	if (equals != NULL) {
		*equals = '\0';
		value = equals + 1;
	}
	if (url_decode(text, true, "the query", err) < 0 ||
	    url_decode(value, true, "the query", err) < 0)
		return -1;
	query->params[query->count++] = (struct query_param){.name = text, .value = value};
	return 0;
}

int query_parse(const char *text, struct query *ret, struct error *err)
{
	CLEANUP(cleanup_query) struct query query = {0};

	if (text == NULL || *text == '\0') {
		*ret = query;
		return 0;
	}
	query.text = xstrdup(text);
	for (char *param = query.text; param != NULL;) {
		char *next = strchr(param, '&');

		if (next != NULL)
			*next++ = '\0';
		if (*param != '\0' && parse_param(param, &query, err) < 0)
			return -1;
		param = next;
	}
	*ret = query;
	query = (struct query){0};
	return 0;
}

void query_release(struct query *query)
{
	free(query->text);
	*query = (struct query){0};
}

struct allowed_names {
	char text[NAMES_MAX][NAME_BYTES_MAX];
	const char *items[NAMES_MAX];
	bool repeatable[NAMES_MAX];
	size_t count;
};

static void split_allowed(const char *allowed, struct allowed_names *ret)
{
	ret->count = 0;
	for (const char *at = allowed; *at != '\0';) {
		size_t bytes = strcspn(at, " ");
		bool repeatable = bytes > 0 && at[bytes - 1] == '*';
		size_t name_bytes = repeatable ? bytes - 1 : bytes;

		CHECK(ret->count < NAMES_MAX);
		CHECK(name_bytes < NAME_BYTES_MAX);
		memcpy(ret->text[ret->count], at, name_bytes);
		ret->text[ret->count][name_bytes] = '\0';
		ret->items[ret->count] = ret->text[ret->count];
		ret->repeatable[ret->count] = repeatable;
		ret->count++;
		at += bytes;
		at += strspn(at, " ");
	}
}

static int check_name(const struct query *query, size_t index, const struct allowed_names *names,
		      struct error *err)
{
	const char *name = query->params[index].name;
	size_t known = 0;

	while (known < names->count && !str_eq(names->items[known], name))
		known++;
	if (known == names->count) {
		const char *nearest = str_suggest(name, names->items, names->count);

		error_set(err, ERR_INVALID, "there is no query parameter \"%.64s\" here", name);
		if (nearest != NULL)
			error_hint(err, "did you mean \"%s\"?", nearest);
		return error_field(err, "%.64s", name);
	}
	for (size_t i = 0; i < index && !names->repeatable[known]; i++) {
		if (str_eq(query->params[i].name, name)) {
			error_set(err, ERR_INVALID, "the query parameter \"%s\" is given twice",
				  name);
			return error_field(err, "%s", name);
		}
	}
	return 0;
}

int query_check(const struct query *query, const char *allowed, struct error *err)
{
	struct allowed_names names;

	split_allowed(allowed, &names);
	for (size_t i = 0; i < query->count; i++) {
		if (check_name(query, i, &names, err) < 0)
			return -1;
	}
	return 0;
}

const char *query_get(const struct query *query, const char *name)
{
	for (size_t i = 0; i < query->count; i++) {
		if (str_eq(query->params[i].name, name))
			return query->params[i].value;
	}
	return NULL;
}

int query_get_bool(const struct query *query, const char *name, bool *ret, struct error *err)
{
	const char *value = query_get(query, name);

	if (value == NULL || str_eq(value, "0") || str_eq(value, "false")) {
		*ret = false;
		return 0;
	}
	if (*value == '\0' || str_eq(value, "1") || str_eq(value, "true")) {
		*ret = true;
		return 0;
	}
	return refuse_field(err, name, "must be 1 or 0, not \"%.64s\"", value);
}
