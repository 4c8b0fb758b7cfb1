/* The one way to the server: authentication, repetition, and problem+json turned into struct error
 * (detail, hint, and for faults of the server the request id).
 *
 * A request is repeated, with jittered backoff, when the connection was lost or the answer was 429,
 * 502, 503 or 504 - but only if it may be sent twice: GET, PUT of a blob, DELETE, a POST that
 * carries an Idempotency-Key (every create does: the same key on every repetition), or one that is
 * declared repeatable by nature. A server that was never reached is given up on sooner than one
 * that was. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/http_client.h"
#include "base/json.h"

#define API_JSON_BYTES_MAX (256ULL * 1024 * 1024) /* 10,000 results with labels and messages */
#define API_TIMEOUT_MS	   120000
/* Streams carry a comment every 15 s; silence for longer means that the connection is dead. */
#define API_IDLE_TIMEOUT_MS 60000

struct api_client;

struct api_options {
	const char *url;
	const char *token; /* NULL: none */
	const char *ca_file;
	const volatile int *interrupted;
	/* Told once per request that is being repeated; may be NULL. */
	void (*on_retry)(void *context, const struct error *why);
	void *context;
};

enum api_repeat {
	API_REPEAT_BY_METHOD = 0, /* as the method allows */
	API_REPEAT_CREATE,	  /* POST with an Idempotency-Key */
	API_REPEAT_SAFE,	  /* POST that may be sent twice by nature */
	API_REPEAT_NEVER,	  /* one try only: the caller repeats */
};

struct api_request {
	const char *method;
	const char *path;
	enum api_repeat repeat;
	const void *body;
	size_t body_bytes;
	bool body_from_fd; /* body_bytes of body_fd from offset 0; not JSON */
	int body_fd;
	bool body_is_bytes;	   /* not JSON */
	bool no_timeout;	   /* a stream or a large transfer */
	const char *accept;	   /* or NULL */
	const char *last_event_id; /* or NULL */
	/* As in struct http_request. on_begin is called before each try: forget what came before.
	 */
	bool (*on_begin)(void *context, struct error *err);
	bool (*on_data)(void *context, const char *data, size_t bytes);
	void *context;
};

MUST_CHECK int api_client_new(const struct api_options *options, struct api_client **ret,
			      struct error *err);
void api_client_free(struct api_client *client);
void cleanup_api_client(struct api_client **client);

/* 0 for a 2xx answer. The response is to be released by the caller then, and only then. */
MUST_CHECK int api_perform(struct api_client *client, const struct api_request *request,
			   struct http_response *ret, struct error *err);
/* The answer parsed as JSON; a new reference. */
MUST_CHECK int api_json(struct api_client *client, const struct api_request *request, json_t **ret,
			struct error *err);
MUST_CHECK int api_get(struct api_client *client, const char *path, json_t **ret,
		       struct error *err);
/* `body` is borrowed and may be NULL. */
MUST_CHECK int api_post(struct api_client *client, const char *path, const json_t *body,
			enum api_repeat repeat, json_t **ret, struct error *err);

/* "/api/v1/jobs/" + encoded id + suffix, to be freed. `collection` is "jobs" or "batches". */
char *api_path(const char *collection, const char *id, const char *suffix);
/* How long to wait before repetition number `attempt` (from 0): doubling, jittered, bounded. */
uint64_t api_backoff_ms(unsigned attempt);
/* A borrowed text member of an object, or NULL. */
const char *api_text(const json_t *object, const char *name);
int64_t api_number(const json_t *object, const char *name); /* 0 if absent */
