/* The route table: which handler answers which method and path, who may ask, what the body and the
 * query may be. routes.def is the table; matching here is pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct reply;
struct request;

enum http_method { HTTP_GET = 1, HTTP_POST, HTTP_PUT, HTTP_DELETE, HTTP_METHOD_MAX };

enum route_access {
	ACCESS_OPEN = 1, /* no credential */
	ACCESS_ANY,	 /* any good key */
	ACCESS_READ,	 /* a key with that scope … */
	ACCESS_RUN,
	ACCESS_ADMIN,
	ACCESS_BLOB_READ,  /* a key with scope read, or a worker */
	ACCESS_BLOB_WRITE, /* a key with scope run, or a worker */
};

enum route_body {
	BODY_NONE = 1, /* nothing, or an empty object */
	BODY_JSON,
	BODY_BLOB, /* bytes, straight into the blob store */
};

/* Whom a listener serves, or a route is for: bits, of which one in common is enough. */
enum route_audience {
	AUDIENCE_USERS = 1 << 0,
	AUDIENCE_WORKERS = 1 << 1,
	AUDIENCE_BOTH = AUDIENCE_USERS | AUDIENCE_WORKERS,
};

/* 0: `reply` is filled, or the request is suspended. -1: `err` is the answer. */
typedef int (*route_handler)(struct request *request, struct reply *reply, struct error *err);

#define ROUTE_ARGS_MAX 2

struct route {
	enum http_method method;
	const char *pattern; /* "/api/v1/jobs/{id}"; a last "{path...}" takes all that is left */
	enum route_access access;
	enum route_body body;
	const char *query; /* see query_check */
	enum route_audience audience;
	route_handler handler;
};

struct route_match {
	const struct route *route; /* NULL: the path is known, the method is not */
	char *args[ROUTE_ARGS_MAX];
	size_t arg_count;
	unsigned methods; /* of the path, 1 << enum http_method */
};

/* False for a method that no route has. HEAD is GET; ret_is_head tells. */
bool http_method_parse(const char *name, enum http_method *ret, bool *ret_is_head);
/* "GET, HEAD, POST" for an Allow header; returns out. */
const char *http_methods_text(unsigned methods, char *out, size_t size);

/* Finds the route of a raw (still encoded) path among those for `audience`; the others are as if
 * they were not there. `path` is cut into pieces and decoded in place, args point into it.
 * ERR_NOT_FOUND, or ERR_INVALID for a broken encoding. */
MUST_CHECK int route_find(const struct route *routes, size_t count, enum route_audience audience,
			  enum http_method method, char *path, struct route_match *ret,
			  struct error *err);
