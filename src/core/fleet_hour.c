#include "core/fleet_hour.h"

uint64_t fleet_ms_since(int64_t now_us, int64_t from_us)
{
	return now_us > from_us ? (uint64_t)(now_us - from_us) / 1000 : 0;
}

uint64_t fleet_hour_left_ms(const struct fleet_worker *worker, int64_t now_us,
			    const struct fleet_policy *policy)
{
	int64_t anchor_us =
		worker->server_created_us != 0 ? worker->server_created_us : worker->created_us;

	if (policy->hour_ms == 0)
		return UINT64_MAX;
	return policy->hour_ms - fleet_ms_since(now_us, anchor_us) % policy->hour_ms;
}

bool fleet_hour_is_ending(const struct fleet_worker *worker, int64_t now_us,
			  const struct fleet_policy *policy)
{
	uint64_t left_ms = fleet_hour_left_ms(worker, now_us, policy);

	if (policy->hour_ms == 0)
		return true;
	return left_ms > policy->hour_late_ms && left_ms <= policy->hour_margin_ms;
}

bool fleet_hour_is_for_packing(const struct fleet_worker *worker, int64_t now_us,
			       const struct fleet_policy *policy)
{
	uint64_t left_ms = fleet_hour_left_ms(worker, now_us, policy);

	if (policy->hour_ms == 0)
		return false;
	return left_ms > policy->hour_margin_ms && left_ms <= policy->pack_ms;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

void fleet_hour_follow_deletions(struct fleet_policy *policy, uint64_t deletion_ms)
{
	uint64_t most_ms = policy->hour_ms / FLEET_MARGIN_HOUR_PART;
	uint64_t took_ms = smaller(deletion_ms, most_ms); /* no product overflows */
	uint64_t needed_ms = smaller(took_ms * FLEET_MARGIN_DELETIONS, most_ms);
	uint64_t margin_ms = larger(policy->hour_margin_ms, needed_ms);
	/* Of hours that are shorter than the margin, all of the hour is the stretch. */
	uint64_t half_ms = smaller(margin_ms, policy->hour_ms) / 2;

	policy->hour_late_ms =
		larger(policy->hour_late_ms, smaller(policy->hour_late_ms + took_ms, half_ms));
	policy->hour_margin_ms = margin_ms;
}
