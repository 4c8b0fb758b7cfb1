#include "hcloud/rate_limit.h"

#include "base/check.h"

#define MICROS	    1000000ULL
#define HOUR_S	    3600ULL
#define HOUR_US	    (HOUR_S * MICROS)
#define US_PER_S    1000000
#define LIMIT_LEAST 1

void rate_limit_init(struct rate_limit *bucket, uint64_t limit, int64_t now_us)
{
	CHECK(limit >= LIMIT_LEAST);
	*bucket = (struct rate_limit){.limit = limit, .micros = limit * MICROS, .wall_us = now_us};
}

static void refill(struct rate_limit *bucket, int64_t now_us)
{
	uint64_t full = bucket->limit * MICROS;
	uint64_t elapsed_us = now_us > bucket->wall_us ? (uint64_t)(now_us - bucket->wall_us) : 0;

	/* An hour fills it, whatever it held. */
	if (elapsed_us >= HOUR_US) {
		bucket->micros = full;
		bucket->wall_us = now_us;
		return;
	}
	/* `limit` millionths come in 3600 microseconds; the time for a part of one is kept. */
	uint64_t gained = elapsed_us * bucket->limit / HOUR_S;
	bucket->micros = bucket->micros + gained < full ? bucket->micros + gained : full;
	bucket->wall_us += (int64_t)(gained * HOUR_S / bucket->limit);
}

bool rate_limit_take(struct rate_limit *bucket, int64_t now_us)
{
	refill(bucket, now_us);
	if (bucket->micros < MICROS)
		return false;
	bucket->micros -= MICROS;
	return true;
}

void rate_limit_set(struct rate_limit *bucket, uint64_t limit, uint64_t remaining, int64_t now_us)
{
	rate_limit_init(bucket, limit, now_us);
	bucket->micros = (remaining < limit ? remaining : limit) * MICROS;
}

uint64_t rate_limit_remaining(const struct rate_limit *bucket)
{
	return bucket->micros / MICROS;
}

int64_t rate_limit_reset_s(const struct rate_limit *bucket)
{
	uint64_t missing = bucket->limit - rate_limit_remaining(bucket);
	uint64_t wait_s = (missing * HOUR_S + bucket->limit - 1) / bucket->limit;

	return bucket->wall_us / US_PER_S + (int64_t)wait_s;
}
