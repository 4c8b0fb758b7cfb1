/* What a handler answers: a status with JSON, or with a body of its own (a file, a stream). */
#pragma once

#include <jansson.h>
#include <microhttpd.h>
#include <stddef.h>

#include "base/error.h"

#define REPLY_HEADERS_MAX 8

struct reply {
	unsigned status;	       /* 0: none yet */
	json_t *json;		       /* owned; or */
	struct MHD_Response *response; /* owned; or neither: no body */
	struct {
		const char *name;
		char *value;
	} headers[REPLY_HEADERS_MAX];
	size_t header_count;
};

void reply_release(struct reply *reply);
/* Takes over `json`. */
int reply_json(struct reply *reply, unsigned status, json_t *json);
/* Takes over `response`. */
int reply_response(struct reply *reply, unsigned status, struct MHD_Response *response);
/* `name` must live on; `value` is copied. */
void reply_header(struct reply *reply, const char *name, const char *value);
/* The problem+json of `err`. */
void reply_problem(struct reply *reply, const struct error *err, const char *request_id);

/* Makes the response to queue, headers and all; the reply is released. Never NULL. */
struct MHD_Response *reply_finish(struct reply *reply, const char *request_id);
