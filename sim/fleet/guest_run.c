/* Runs of a simulated worker: worker/run.h without a sandbox. The specification of a job is how
 * long it takes, in microseconds. */
#include <stdlib.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "fleet/guest_loop.h"
#include "worker/run.h"

#define STAGING_MS    300 /* at most, as the next */
#define COLLECTING_MS 300

struct run {
	const struct run_services *services;
	struct lease_id lease;
	uint64_t duration_us;
	uint64_t claimed_ms;
	size_t slot;
	struct timer phase; /* the end of this one */
	enum run_state state;
	bool is_cancelled;
	bool is_being_reported;
};

static void changed(const struct run *run)
{
	run->services->on_change(run->services->context);
}

static void on_phase(void *context)
{
	struct run *run = context;
	switch (run->state) {
	case RUN_STAGING:
		run->state = RUN_RUNNING;
		timer_arm(&run->phase, run->duration_us / 1000);
		break;
	case RUN_RUNNING:
		run->state = RUN_COLLECTING;
		timer_arm(&run->phase, guest_rand_below(COLLECTING_MS));
		break;
	case RUN_COLLECTING:
		run->state = RUN_REPORTING;
		run->slot = RUN_NO_SLOT;
		break;
	case RUN_WAITING:
	case RUN_REPORTING:
	case RUN_DISCARDED:
	case RUN_OVER:
		UNREACHABLE();
	}
	changed(run);
}

struct run *run_new(const struct run_services *services, const struct worker_claim *claim)
{
	struct run *run = xcalloc(1, sizeof(*run));
	run->services = services;
	run->lease = claim->lease;
	run->duration_us = strtoull(claim->spec, NULL, 10);
	run->claimed_ms = guest_clock_ms();
	run->slot = RUN_NO_SLOT;
	run->state = RUN_WAITING;
	timer_init(&run->phase, services->event, SD_EVENT_PRIORITY_NORMAL, on_phase, run);
	return run;
}

void run_free(struct run *run)
{
	if (run == NULL)
		return;
	timer_release(&run->phase);
	free(run);
}

enum run_state run_state(const struct run *run)
{
	return run->state;
}

const struct lease_id *run_lease(const struct run *run)
{
	return &run->lease;
}

size_t run_slot(const struct run *run)
{
	return run->slot;
}

uint64_t run_age_ms(const struct run *run)
{
	return guest_clock_ms() - run->claimed_ms;
}

uint64_t run_time_us(const struct run *run)
{
	return run->state == RUN_REPORTING ? run->duration_us : 0;
}

void run_start(struct run *run, size_t slot)
{
	CHECK(run->state == RUN_WAITING);
	run->slot = slot;
	run->state = RUN_STAGING;
	timer_arm(&run->phase, guest_rand_below(STAGING_MS));
}

static void try_to_end(struct run *run)
{
	if (run->state != RUN_DISCARDED || run->is_being_reported)
		return;
	run->state = RUN_OVER;
	changed(run);
}

void run_cancel(struct run *run)
{
	if (run->state >= RUN_REPORTING)
		return;
	run->is_cancelled = true;
	run->state = RUN_REPORTING;
	run->slot = RUN_NO_SLOT;
	timer_disarm(&run->phase);
	changed(run);
}

void run_discard(struct run *run)
{
	if (run->state == RUN_DISCARDED || run->state == RUN_OVER)
		return;
	run->state = RUN_DISCARDED;
	run->slot = RUN_NO_SLOT;
	timer_disarm(&run->phase);
	changed(run);
	try_to_end(run);
}

bool run_send_rest(struct run *run)
{
	CHECK(run->state == RUN_REPORTING);
	return true;
}

void run_completion(const struct run *run, struct worker_completion *ret)
{
	*ret = (struct worker_completion){.lease = run->lease,
					  .outcome = run->is_cancelled ? OUTCOME_CANCELLED
								       : OUTCOME_COMPLETED,
					  .started = true,
					  .run_us = run->duration_us,
					  .unenforced = ""};
}

void run_reporting(struct run *run)
{
	run->is_being_reported = true;
}

void run_reported(struct run *run, bool recorded)
{
	run->is_being_reported = false;
	if (recorded)
		run_discard(run);
	try_to_end(run);
}

bool run_is_being_reported(const struct run *run)
{
	return run->is_being_reported;
}

void run_resend(struct run *run)
{
	(void)run;
}
