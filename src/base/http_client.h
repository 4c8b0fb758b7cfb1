/* A synchronous HTTP client over libcurl for programs that do one thing at a time (the command
 * line). One handle, one kept-alive connection. Not for event loops. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

struct http_client;

struct http_client_options {
	const char *base_url;	   /* "http://127.0.0.1:8000"; borrowed for the call */
	const char *authorization; /* value of the Authorization header, or NULL; copied */
	const char *user_agent;
	const char *ca_file; /* NULL: the system's */
	uint64_t connect_timeout_ms;
	const volatile int *interrupted; /* checked while waiting; non-zero ends with ERR_TIMEOUT */
};

struct http_request {
	const char *method;	    /* "GET", "POST", "PUT", "DELETE" */
	const char *path;	    /* with query, already encoded */
	const char *const *headers; /* NULL-terminated "Name: value", or NULL */
	const void *body;	    /* or NULL */
	size_t body_bytes;
	int body_fd;		  /* -1, or read body_bytes from here instead (offset 0) */
	uint64_t timeout_ms;	  /* 0: none (streams) */
	uint64_t idle_timeout_ms; /* ends it when not a byte moved for so long; 0: never */
	/* Called with each piece of a 2xx body; return false to end the transfer. NULL: collect
	 * into response->body (at most body_bytes_max). */
	bool (*on_data)(void *context, const char *data, size_t bytes);
	void *context;
	size_t body_bytes_max;
};

struct http_response {
	long status;
	struct buf body; /* the whole body; for on_data only that of non-2xx answers */
	char content_type[64];
	char etag[96];
	char request_id[64]; /* X-Request-Id */
	uint64_t retry_after_s;
};

MUST_CHECK int http_client_new(const struct http_client_options *options, struct http_client **ret,
			       struct error *err);
void http_client_free(struct http_client *client);
void cleanup_http_client(struct http_client **client);

void http_response_release(struct http_response *response);
#define cleanup_http_response http_response_release

/* 0 when an answer of any status arrived; ERR_UNAVAILABLE when none did (what and where in msg),
 * ERR_TIMEOUT after timeout_ms or when interrupted. Does not retry. */
MUST_CHECK int http_client_perform(struct http_client *client, const struct http_request *request,
				   struct http_response *ret, struct error *err);
