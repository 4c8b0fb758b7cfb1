#include "api/route.h"

#include <string.h>

#include "api/query.h"
#include "base/check.h"
#include "base/str.h"

#define SEGMENTS_MAX 256 /* a path in an artifact's URL may be deep */

static const char *const method_names[HTTP_METHOD_MAX] = {
	[HTTP_GET] = "GET",
	[HTTP_POST] = "POST",
	[HTTP_PUT] = "PUT",
	[HTTP_DELETE] = "DELETE",
};

bool http_method_parse(const char *name, enum http_method *ret, bool *ret_is_head)
{
	*ret_is_head = str_eq(name, "HEAD");
	if (*ret_is_head)
		name = "GET";
	for (enum http_method method = HTTP_GET; method < HTTP_METHOD_MAX; method++) {
		if (str_eq(name, method_names[method])) {
			*ret = method;
			return true;
		}
	}
	return false;
}

const char *http_methods_text(unsigned methods, char *out, size_t size)
{
	size_t bytes = 0;

	out[0] = '\0';
	for (enum http_method method = HTTP_GET; method < HTTP_METHOD_MAX; method++) {
		if ((methods & (1U << method)) == 0)
			continue;
		int written = snprintf(out + bytes, size - bytes, "%s%s%s", bytes > 0 ? ", " : "",
				       method_names[method], method == HTTP_GET ? ", HEAD" : "");

		CHECK(written > 0);
		bytes += (size_t)written;
		CHECK(bytes < size);
	}
	return out;
}

struct segments {
	char *items[SEGMENTS_MAX];
	size_t count;
};

/* "/a//b" has the segments "a", "", "b": nothing is normalised away. */
static bool split(char *path, struct segments *ret)
{
	ret->count = 0;
	if (*path != '/')
		return false;
	do {
		char *next;

		*path++ = '\0';
		next = strchr(path, '/');
		if (ret->count == SEGMENTS_MAX)
			return false;
		ret->items[ret->count++] = path;
		path = next;
	} while (path != NULL);
	return true;
}

/* Puts the pieces back together behind items[from], '/' between them. */
static char *join(struct segments *segments, size_t from)
{
	for (size_t i = from + 1; i < segments->count; i++)
		*(segments->items[i] - 1) = '/';
	return segments->items[from];
}

static bool is_rest(const char *pattern, size_t bytes)
{
	return bytes > 5 && pattern[0] == '{' && memcmp(pattern + bytes - 4, "...}", 4) == 0;
}

static bool matches(const char *pattern, const struct segments *segments, size_t *ret_rest)
{
	size_t index = 0;

	*ret_rest = SEGMENTS_MAX;
	for (const char *at = pattern; *at == '/'; index++) {
		size_t bytes = strcspn(++at, "/");

		if (index == segments->count)
			return false;
		if (is_rest(at, bytes)) {
			*ret_rest = index;
			return segments->items[index][0] != '\0' || index + 1 < segments->count;
		}
		bool is_argument = at[0] == '{';
		const char *segment = segments->items[index];

		if (is_argument && *segment == '\0')
			return false;
		if (!is_argument && (strlen(segment) != bytes || memcmp(segment, at, bytes) != 0))
			return false;
		at += bytes;
	}
	return index == segments->count;
}

static int take_args(const struct route *route, struct segments *segments, size_t rest,
		     struct route_match *match, struct error *err)
{
	size_t index = 0;

	for (const char *at = strchr(route->pattern, '/'); at != NULL; at = strchr(at + 1, '/')) {
		CHECK(index < segments->count);
		if (at[1] == '{') {
			char *arg = index == rest ? join(segments, index) : segments->items[index];

			CHECK(match->arg_count < ROUTE_ARGS_MAX);
			if (url_decode(arg, false, "the path", err) < 0)
				return -1;
			match->args[match->arg_count++] = arg;
		}
		index++;
	}
	return 0;
}

static int nothing_here(enum route_audience audience, struct error *err)
{
	if (audience == AUDIENCE_WORKERS) {
		error_set(err, ERR_NOT_FOUND,
			  "this listener serves workers only, and nothing "
			  "at this address");
		return error_hint(err, "what users ask for is answered by the API whose setting "
				       "\"serve\" is \"all\"");
	}
	error_set(err, ERR_NOT_FOUND, "there is nothing at this address");
	return error_hint(err, "all addresses begin with /api/v1/; see the API's documentation");
}

int route_find(const struct route *routes, size_t count, enum route_audience audience,
	       enum http_method method, char *path, struct route_match *ret, struct error *err)
{
	struct segments segments;
	struct route_match match = {0};
	size_t found_rest = 0;

	bool is_path = split(path, &segments);
	for (size_t i = 0; is_path && i < count; i++) {
		size_t rest;

		if ((routes[i].audience & audience) == 0 ||
		    !matches(routes[i].pattern, &segments, &rest))
			continue;
		match.methods |= 1U << routes[i].method;
		if (match.route == NULL && routes[i].method == method) {
			match.route = &routes[i];
			found_rest = rest;
		}
	}
	if (match.methods == 0)
		return nothing_here(audience, err);
	if (match.route != NULL && take_args(match.route, &segments, found_rest, &match, err) < 0)
		return -1;
	*ret = match;
	return 0;
}
