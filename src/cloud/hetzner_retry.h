/* Whether a request that failed is sent again, and after how long. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cloud/hetzner.h"

#define HETZNER_TRIES_MAX      5   /* of one request, the first included */
#define HETZNER_BACKOFF_MS     500 /* unless the client was told otherwise */
#define HETZNER_BACKOFF_MAX_MS 10000

/* Whether the request may have had its effect though it failed: a POST that was sent and was not
 * refused. (Repeating a GET, PUT or DELETE does no harm.) */
bool hetzner_is_outcome_unknown(const char *method, const struct hetzner_failure *failure,
				bool was_sent);

/* Milliseconds until try number `tries` + 1, or -1 for never. `tries` have been made; random is any
 * number: the wait is drawn from the second half of an interval that begins as backoff_ms and
 * doubles. */
int64_t hetzner_retry_ms(const char *method, const struct hetzner_failure *failure, bool was_sent,
			 unsigned tries, uint64_t backoff_ms, uint64_t random);
