/* The rows of routes.def, and their handlers: one file per resource. */
#pragma once

#include <stddef.h>

#include "api/route.h"

#define ROUTE(method, pattern, access, body, query, audience, handler) ROUTE_INDEX_##handler,
enum {
#include "api/routes.def"
	ROUTE_COUNT
};
#undef ROUTE

extern const struct route routes[ROUTE_COUNT];

#define ROUTE(method, pattern, access, body, query, audience, handler) \
	int handler(struct request *request, struct reply *reply, struct error *err);
#include "api/routes.def"
#undef ROUTE

/* Of BODY_BLOB routes: called before the body is read. A filled reply is the answer; else the bytes
 * go to request->blob_writer. */
MUST_CHECK int blobs_put_begin(struct request *request, struct reply *reply, struct error *err);
