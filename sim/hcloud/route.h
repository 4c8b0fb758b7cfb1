/* Routes: a method, a path with {id} where a number is, and the handler. Every resource has a
 * table of them, ended by an empty one; resources.c lists the tables. */
#pragma once

#include "hcloud/call.h"

struct route {
	const char *method;
	const char *path; /* "/servers/{id}/actions/poweron", without "/v1" */
	int (*handler)(struct call *call);
};

/* The routes of a path: *ret_known says whether there are any, the result is the one for the
 * method, or NULL. The path's numbers are written to ids. */
const struct route *route_find(const char *method, const char *path, bool *ret_known,
			       int64_t ids[CALL_IDS_MAX]);
/* The same, within one table. */
const struct route *route_find_in(const struct route *table, const char *method, const char *path,
				  bool *ret_known, int64_t ids[CALL_IDS_MAX]);
