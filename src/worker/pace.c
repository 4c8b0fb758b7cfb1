#include "worker/pace.h"

#include <stdbool.h>

#include "core/limits.h"

void pace_init(struct pace *pace)
{
	*pace = (struct pace){.poll_ms = PACE_POLL_MIN_MS};
}

void pace_claimed(struct pace *pace, size_t claim_count)
{
	pace->poll_ms = claim_count > 0 ? PACE_POLL_MIN_MS : pace->poll_ms * 2;
	if (pace->poll_ms > PACE_POLL_MAX_MS)
		pace->poll_ms = PACE_POLL_MAX_MS;
}

uint64_t pace_woken(struct pace *pace, uint64_t now_ms, uint64_t random)
{
	bool calm = pace->woken_ms == 0 || now_ms - pace->woken_ms >= PACE_CALM_MS;

	pace->poll_ms = PACE_POLL_MIN_MS;
	pace->woken_ms = now_ms;
	return calm ? 0 : random % PACE_POLL_MIN_MS;
}

uint64_t pace_wait_ms(const struct pace *pace, uint64_t random)
{
	return pace->poll_ms * 3 / 4 + random % (pace->poll_ms / 2 + 1);
}

void pace_job_ended(struct pace *pace, uint64_t run_us)
{
	if (pace->samples == 0)
		pace->mean_run_us = run_us;
	else
		pace->mean_run_us = pace->mean_run_us / 8 * 7 + run_us / 8;
	pace->samples++;
}

void pace_stalled(struct pace *pace)
{
	pace->samples = 0;
}

size_t pace_prefetch(const struct pace *pace, size_t slots)
{
	size_t wanted = slots * PACE_PREFETCH_PER_SLOT;

	if (pace->samples < PACE_SAMPLES_MIN || pace->mean_run_us >= PACE_SHORT_JOB_US)
		return 0;
	return wanted < LIMIT_PREFETCH ? wanted : LIMIT_PREFETCH;
}
