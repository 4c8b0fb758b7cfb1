/* The request budget of a project: a bucket that refills steadily, known from the RateLimit headers
 * of the last answer. RateLimit-Reset is when it is full again, not when the next request is
 * allowed. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct hetzner_allowance {
	uint64_t limit; /* 0: no answer has told yet */
	uint64_t remaining;
	int64_t told_ms;    /* boot time of the answer */
	uint64_t refill_ms; /* until it is full again, at told_ms */
	uint64_t reserve;   /* kept for deletions */
};

/* What an answer said; reset_s and date_s are seconds since 1970. */
void hetzner_allowance_told(struct hetzner_allowance *allowance, uint64_t limit, uint64_t remaining,
			    int64_t reset_s, int64_t date_s, int64_t now_ms);
/* Requests left at now_ms, refilled since the last answer. UINT64_MAX while nothing is known. */
uint64_t hetzner_allowance_left(const struct hetzner_allowance *allowance, int64_t now_ms);
/* Whether a request may be sent; deletions may use the reserve. */
bool hetzner_allowance_permits(const struct hetzner_allowance *allowance, bool is_delete,
			       int64_t now_ms);
/* Milliseconds until it may be sent; INT64_MAX when the reserve is larger than the bucket. */
int64_t hetzner_allowance_wait_ms(const struct hetzner_allowance *allowance, bool is_delete,
				  int64_t now_ms);
/* A request went out: without waiting for its answer there is one less. */
void hetzner_allowance_spend(struct hetzner_allowance *allowance);
