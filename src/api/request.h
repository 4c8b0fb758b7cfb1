/* One HTTP request, from its first line to the end of its answer. Made and freed by the server;
 * used by one thread at a time (its connection's), which handlers may block. */
#pragma once

#include <jansson.h>
#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/auth.h"
#include "api/query.h"
#include "api/reply.h"
#include "api/route.h"
#include "base/buf.h"
#include "blob/blob.h"
#include "core/id.h"

struct server;
struct submission;

#define REQUEST_ID_BYTES 24

struct request {
	struct server *server;
	struct MHD_Connection *http;
	char id[REQUEST_ID_BYTES];
	uint64_t started_us;
	char *target;	  /* path, cut into pieces by the router */
	char *query_text; /* what followed '?' in target, or NULL */
	enum http_method method;
	const struct route *route;  /* NULL until found */
	char *args[ROUTE_ARGS_MAX]; /* of the path, decoded */
	struct query query;
	struct identity who;

	/* The body, as far as it has come. */
	bool has_begun;
	bool is_discarded; /* the answer is decided; what still comes is read and dropped */
	uint64_t body_bytes;
	struct buf body;     /* BODY_JSON, BODY_NONE */
	size_t memory_bytes; /* taken from the server's budget */
	struct blob_writer *blob_writer;
	uint8_t blob[SHA256_BYTES]; /* its name */
	json_t *json;		    /* the parsed body; NULL if there was none */

	/* The answer, if it is known before the body's end. */
	bool has_failed;
	struct error err;
	struct reply reply;

	/* Of a suspended request: called instead of the handler when it goes on. */
	route_handler resume;
	struct submission *submission;
};

/* A header's value, or NULL. */
const char *request_header(const struct request *request, const char *name);

/* A connection to the database for the scope of a variable:
 * CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request); */
struct request_db {
	struct pg_pool *pool;
	struct pg *pg;
};
struct request_db request_db_take(const struct request *request);
void cleanup_request_db(struct request_db *db); /* rolls back what was not committed */

/* The id meant by the path's argument: whole, a unique prefix (of workers: of the living ones), or
 * "last" (no worker). A whole id is not looked up: that it exists, and in the project, is for the
 * caller's query to find. ERR_NOT_FOUND, ERR_CONFLICT. */
MUST_CHECK int request_resolve(const struct request *request, struct pg *pg, enum id_kind kind,
			       const char *text, int64_t *ret, struct error *err);
/* "there is no job …" */
int request_no_such(enum id_kind kind, const char *text, struct error *err);

#define REQUEST_BY_BYTES 64
/* Who asks, for events: "key 4k2…"; returns out. */
const char *request_by(const struct request *request, char out[REQUEST_BY_BYTES]);

/* The Idempotency-Key header, checked; NULL if absent. */
MUST_CHECK int request_idempotency_key(const struct request *request, const char **ret,
				       struct error *err);
/* What makes two requests the same: method, pattern, arguments and body. */
void request_digest(const struct request *request, uint8_t ret[SHA256_BYTES]);

/* Query parameter "limit", and the error for one out of range. */
MUST_CHECK int request_limit(const struct request *request, int64_t *ret, struct error *err);
