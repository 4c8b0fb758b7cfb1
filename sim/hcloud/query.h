/* The query of a URL: decoded names and values, in order, names may repeat. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

struct query_item {
	char *name;
	char *value;
};

struct query {
	struct query_item *items;
	size_t count;
};

/* False when an escape is broken or a NUL is in it; the query is empty then. */
MUST_CHECK bool query_parse(const char *text, struct query *ret);
void query_release(struct query *query);
/* The last value of that name, or NULL. */
const char *query_get(const struct query *query, const char *name);
/* True when one of its values is that. */
bool query_has(const struct query *query, const char *name, const char *value);
