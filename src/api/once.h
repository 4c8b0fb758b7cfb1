/* Requests that create several things, at most once per Idempotency-Key: one transaction that holds
 * the key, the creation, and the answer to repeat. */
#pragma once

#include <jansson.h>

#include "api/request.h"

/* Begins the transaction. *ret_replay: the answer that the key got before (a new reference; nothing
 * is to be created then, and the transaction needs no end), or NULL. ERR_UNPROCESSABLE when the key
 * belongs to another request. */
MUST_CHECK int once_begin(const struct request *request, struct pg *pg, json_t **ret_replay,
			  struct error *err);
/* Keeps `answer` for repetitions, and commits. */
MUST_CHECK int once_finish(const struct request *request, struct pg *pg, const json_t *answer,
			   struct error *err);
/* Marks an answer as repeated. */
void once_mark_replayed(struct reply *reply);
/* The error for a key that belongs to another request. */
int once_mismatch(struct error *err);
