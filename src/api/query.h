/* The query string of a request: decoded once, strictly, then asked by name. Broken
 * percent-encoding, text that is not UTF-8, parameters that nobody knows and repeated ones are
 * refused. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "core/limits.h"

struct query_param {
	const char *name;
	const char *value; /* "" if there was no '=' */
};

struct query {
	char *text; /* what the parameters point into; NULL while empty */
	struct query_param params[LIMIT_QUERY_PARAMS];
	size_t count;
};

/* `text` is what follows '?', or NULL. */
MUST_CHECK int query_parse(const char *text, struct query *ret, struct error *err);
void query_release(struct query *query);
#define cleanup_query query_release

/* Checks against the names that the route takes, separated by spaces; a name that ends with '*' may
 * be repeated: "state label* limit". */
MUST_CHECK int query_check(const struct query *query, const char *allowed, struct error *err);

const char *query_get(const struct query *query, const char *name); /* NULL: absent */
/* As query_get for "1", "true", "" (true) and "0", "false" (false, also when absent). */
MUST_CHECK int query_get_bool(const struct query *query, const char *name, bool *ret,
			      struct error *err);

/* Decodes %XX in place ('+' too, as a space, if plus_is_space). Refuses what is not UTF-8 or has a
 * NUL inside. `what` names the text in errors. */
MUST_CHECK int url_decode(char *text, bool plus_is_space, const char *what, struct error *err);
