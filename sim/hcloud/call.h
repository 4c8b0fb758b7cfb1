/* One request being served: what came in, and the answer. Handlers read the request, fill the
 * answer with call_reply and return 0, or fill call->problem and return -1. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hcloud/fields.h"
#include "hcloud/problem.h"
#include "hcloud/query.h"
#include "hcloud/sim.h"

#define CALL_IDS_MAX 2
/* What paths of the API begin with; routes and faults go without. */
#define API_PREFIX "/v1"

/* What becomes of the answer on its way; faults. */
enum transport {
	TRANSPORT_SEND = 1,
	TRANSPORT_RESET, /* the connection breaks, nothing is sent */
	TRANSPORT_CUT,	 /* the answer breaks off in its middle */
};

struct call {
	struct sim *sim;
	/* The request. */
	const char *method;
	const char *path; /* without the query */
	const char *query_text;
	const char *authorization; /* header, or NULL */
	const char *base_url;	   /* "http://127.0.0.1:8420", for links */
	const char *body_text;
	size_t body_bytes;
	bool is_local; /* from the loopback interface */
	const char *control_token;
	/* Found while it is served. */
	struct query query;
	json_t *body; /* an object; NULL: there was none */
	struct project *project;
	const struct token *token;
	int64_t ids[CALL_IDS_MAX]; /* of the path, in order; 0 for what is no number */
	/* The answer. */
	struct problem problem;
	unsigned status;
	json_t *reply;		       /* NULL: no body */
	char *link;		       /* the Link header, or NULL */
	const struct rate_limit *rate; /* whose headers are sent, or NULL */
	bool is_pretty;
	enum transport transport;
	int64_t date_skew_s;
	uint64_t delay_ms; /* before the answer goes out */
};

void call_release(struct call *call);
/* Takes the reference; NULL for an empty body. Returns 0. */
int call_reply(struct call *call, unsigned status, json_t *body);
/* The document of that kind with the path's index-th id, or NULL with call->problem filled. */
json_t *call_find(struct call *call, enum kind kind, size_t index);
/* The fields of the body, failing into call->problem. */
void call_fields(struct call *call, struct fields *fields);
/* not_found, as for an unknown id. Returns -1. */
int call_not_found(struct call *call, enum kind kind, int64_t id);
