/* Lists of the API: one page, or all of them, printed as a table, as JSON or as bare ids. */
#pragma once

#include <stdbool.h>

#include "cli/session.h"

struct listing_options {
	const char *path;   /* "/api/v1/jobs" */
	const char *query;  /* further parameters, each with a leading '&'; "" for none */
	const char *cursor; /* where to go on, or NULL */
	uint64_t limit;	    /* 0: the server's default; with all, the size of pages */
	bool all;
	bool as_json;
	bool ids_only;
	void (*view)(const json_t *items, const struct terminal *terminal, struct buf *out);
	const char *nothing; /* said on stderr when the list is empty */
};

MUST_CHECK int listing_print(struct session *session, const struct listing_options *options,
			     struct error *err);
