#include "cloud/hetzner_allowance.h"

void hetzner_allowance_told(struct hetzner_allowance *allowance, uint64_t limit, uint64_t remaining,
			    int64_t reset_s, int64_t date_s, int64_t now_ms)
{
	allowance->limit = limit;
	allowance->remaining = remaining < limit ? remaining : limit;
	allowance->told_ms = now_ms;
	allowance->refill_ms = reset_s > date_s ? (uint64_t)(reset_s - date_s) * 1000 : 0;
}

uint64_t hetzner_allowance_left(const struct hetzner_allowance *allowance, int64_t now_ms)
{
	if (allowance->limit == 0)
		return UINT64_MAX;
	uint64_t passed_ms =
		now_ms > allowance->told_ms ? (uint64_t)(now_ms - allowance->told_ms) : 0;
	if (passed_ms >= allowance->refill_ms)
		return allowance->limit;
	uint64_t missing = allowance->limit - allowance->remaining;
	/* Rounded down: a request that is not quite there is not there. */
	return allowance->remaining + missing * passed_ms / allowance->refill_ms;
}

bool hetzner_allowance_permits(const struct hetzner_allowance *allowance, bool is_delete,
			       int64_t now_ms)
{
	uint64_t left = hetzner_allowance_left(allowance, now_ms);

	return is_delete ? left > 0 : left > allowance->reserve;
}

void hetzner_allowance_spend(struct hetzner_allowance *allowance)
{
	if (allowance->remaining > 0)
		allowance->remaining--;
}
