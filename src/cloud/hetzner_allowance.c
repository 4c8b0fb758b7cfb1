#include "cloud/hetzner_allowance.h"

/* So that their product stays far below 64 bits. Hetzner's are 3600 and an hour. */
#define LIMIT_MAX    UINT32_MAX
#define REFILL_S_MAX (24 * 60 * 60)

void hetzner_allowance_told(struct hetzner_allowance *allowance, uint64_t limit, uint64_t remaining,
			    int64_t reset_s, int64_t date_s, int64_t now_ms)
{
	allowance->limit = limit < LIMIT_MAX ? limit : LIMIT_MAX;
	allowance->remaining = remaining < allowance->limit ? remaining : allowance->limit;
	allowance->told_ms = now_ms;
	int64_t refill_s = reset_s > date_s ? reset_s - date_s : 0;
	allowance->refill_ms = (uint64_t)(refill_s < REFILL_S_MAX ? refill_s : REFILL_S_MAX) * 1000;
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

int64_t hetzner_allowance_wait_ms(const struct hetzner_allowance *allowance, bool is_delete,
				  int64_t now_ms)
{
	uint64_t wanted = (is_delete ? 0 : allowance->reserve) + 1;

	if (hetzner_allowance_permits(allowance, is_delete, now_ms))
		return 0;
	if (wanted > allowance->limit)
		return INT64_MAX;
	/* Something is missing and refills, or all would be there. Rounded up, so that it has come
	 * by then. */
	uint64_t missing = allowance->limit - allowance->remaining;
	uint64_t more = wanted - allowance->remaining;
	uint64_t due_ms = (more * allowance->refill_ms + missing - 1) / missing;
	int64_t passed_ms = now_ms > allowance->told_ms ? now_ms - allowance->told_ms : 0;
	return (int64_t)due_ms - passed_ms;
}

void hetzner_allowance_spend(struct hetzner_allowance *allowance)
{
	if (allowance->remaining > 0)
		allowance->remaining--;
}
