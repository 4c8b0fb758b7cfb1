/* What turns a worker that was just written down (fleet_store's intend) into one whose first login
 * is good for one use: for workers on machines of their own. Local workers do without. */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "store/pg.h"

#define ENROLMENT_TOKEN_CHARS 43 /* 256 bits */

struct enrolment_terms {
	uint64_t start_ms; /* the first login, and the token, end then if it has not enrolled */
	uint64_t age_ms;   /* its own login ends then */
};

/* To be called before the login is given away. ret_token: with which the machine fetches its
 * bundle, and which the database knows by its SHA-256 only. ERR_CONFLICT: it has joined, or is to
 * enrol already. */
MUST_CHECK int enrolment_require(struct pg *pg, int64_t worker_id,
				 const struct enrolment_terms *terms,
				 char ret_token[ENROLMENT_TOKEN_CHARS + 1], struct error *err);
