/* The token bucket behind the RateLimit headers: `limit` requests an hour, refilled continuously,
 * bursts allowed. Reset is when the bucket is FULL again, not when the next request may come.
 * Pure: the caller brings the time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct rate_limit {
	uint64_t limit;	 /* requests an hour */
	uint64_t micros; /* what is left, in millionths of a request */
	int64_t wall_us; /* as of then */
};

void rate_limit_init(struct rate_limit *bucket, uint64_t limit, int64_t now_us);
/* Takes one request; false when there is none. */
bool rate_limit_take(struct rate_limit *bucket, int64_t now_us);
/* A fault: this many are left. */
void rate_limit_set(struct rate_limit *bucket, uint64_t limit, uint64_t remaining, int64_t now_us);
uint64_t rate_limit_remaining(const struct rate_limit *bucket); /* as of the last call */
int64_t rate_limit_reset_s(const struct rate_limit *bucket);	/* UNIX time */
