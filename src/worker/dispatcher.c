#include "worker/dispatcher.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "core/id.h"
#include "core/limits.h"
#include "worker/pace.h"
#include "worker/timer.h"

struct dispatcher {
	struct dispatcher_options options;
	struct pace pace;
	bool draining;
	bool ask_due; /* for jobs, as soon as there is room */
	bool step_in_flight;
	size_t step_want;
	struct run **step_runs; /* whose completions are in flight */
	size_t step_run_count;
	struct timer poll;
	struct timer stale; /* looks for jobs that wait too long for a slot */
};

static void changed(struct dispatcher *dispatcher)
{
	const struct run_services *services = dispatcher->options.services;

	services->on_change(services->context);
}

static void call_failed(struct dispatcher *dispatcher, const struct error *err)
{
	const struct run_services *services = dispatcher->options.services;

	services->on_link_error(services->context, err);
}

static void on_released(void *context, enum worker_verdict verdict, const struct error *err)
{
	(void)verdict;
	/* If it did not arrive, the heartbeats' silence about these leases gives them back. */
	if (err)
		call_failed(context, err);
}

static void release(struct dispatcher *dispatcher, const struct lease_id *leases, size_t count)
{
	struct worker_link *link = dispatcher->options.link;

	if (count > 0 && membership_is_held(dispatcher->options.membership) &&
	    worker_link_is_up(link))
		worker_link_release(link, leases, count, on_released, dispatcher);
}

/* Returns jobs that have waited for a slot that long. */
static void give_back(struct dispatcher *dispatcher, uint64_t age_ms_min)
{
	struct roster *roster = dispatcher->options.roster;
	CLEANUP(cleanup_free)
	struct lease_id *leases = xcalloc(LIMIT_STEP_COUNT, sizeof(*leases));
	size_t count = 0;

	for (size_t i = 0; i < roster->count; i++) {
		struct run *run = roster->runs[i];

		if (run_state(run) != RUN_WAITING || run_age_ms(run) < age_ms_min)
			continue;
		pace_stalled(&dispatcher->pace);
		leases[count++] = *run_lease(run);
		run_discard(run);
		if (count == LIMIT_STEP_COUNT) {
			release(dispatcher, leases, count);
			count = 0;
		}
	}
	release(dispatcher, leases, count);
}

static void on_stale(void *context)
{
	give_back(context, DISPATCHER_PREFETCH_AGE_MS);
	changed(context);
}

void dispatcher_drain(struct dispatcher *dispatcher)
{
	dispatcher->draining = true;
	give_back(dispatcher, 0);
}

void dispatcher_undrain(struct dispatcher *dispatcher)
{
	dispatcher->draining = false;
	dispatcher_ask(dispatcher);
}

static void take_verdicts(struct dispatcher *dispatcher, const enum worker_verdict *verdicts)
{
	char id[ID_TEXT_BYTES];

	for (size_t i = 0; i < dispatcher->step_run_count; i++) {
		struct run *run = dispatcher->step_runs[i];

		if (verdicts && verdicts[i] == VERDICT_LOST)
			log_info("worker.result_lost",
				 F_STR("job", id_format(ID_JOB, run_lease(run)->job_id, id)),
				 F_INT("attempt", run_lease(run)->attempt));
		if (verdicts && run_time_us(run) > 0)
			pace_job_ended(&dispatcher->pace, run_time_us(run));
		run_reported(run, verdicts != NULL);
	}
	dispatcher->step_run_count = 0;
}

static void take_claims(struct dispatcher *dispatcher, const struct worker_claim *claims,
			size_t count)
{
	for (size_t i = 0; i < count; i++)
		roster_add(dispatcher->options.roster,
			   run_new(dispatcher->options.services, &claims[i]));
	if (dispatcher->step_want == 0)
		return;
	pace_claimed(&dispatcher->pace, count);
	if (count == dispatcher->step_want)
		dispatcher->ask_due = true; /* there may be more, once there is room */
	else
		timer_arm(&dispatcher->poll, pace_wait_ms(&dispatcher->pace, rand_u64()));
}

static void on_stepped(void *context, const enum worker_verdict *verdicts, size_t verdict_count,
		       const struct worker_claim *claims, size_t claim_count,
		       const struct error *err)
{
	struct dispatcher *dispatcher = context;

	CHECK(err || verdict_count == dispatcher->step_run_count);
	dispatcher->step_in_flight = false;
	take_verdicts(dispatcher, err ? NULL : verdicts);
	if (err) {
		dispatcher->ask_due = true;
		call_failed(dispatcher, err);
	} else if (membership_is_held(dispatcher->options.membership)) {
		take_claims(dispatcher, claims, claim_count);
	}
	if (dispatcher->draining)
		give_back(dispatcher, 0);
	changed(dispatcher);
}

/* Sends what must come before them, and lists the completions that may go now. */
static size_t completions_due(struct dispatcher *dispatcher, struct worker_completion *completions,
			      size_t count_max)
{
	struct roster *roster = dispatcher->options.roster;
	size_t count = 0;

	for (size_t i = 0; i < roster->count && count < count_max; i++) {
		struct run *run = roster->runs[i];

		if (run_state(run) != RUN_REPORTING || run_is_being_reported(run) ||
		    !run_send_rest(run))
			continue;
		run_completion(run, &completions[count]);
		run_reporting(run);
		dispatcher->step_runs[count++] = run;
	}
	return count;
}

static size_t wanted(const struct dispatcher *dispatcher)
{
	const struct roster *roster = dispatcher->options.roster;
	size_t room = roster->slots + pace_prefetch(&dispatcher->pace, roster->slots);
	size_t held = roster_held(roster);

	if (dispatcher->draining || held >= room)
		return 0;
	return room - held < LIMIT_STEP_COUNT ? room - held : LIMIT_STEP_COUNT;
}

static void step(struct dispatcher *dispatcher)
{
	CLEANUP(cleanup_free) struct worker_completion *completions = NULL;
	size_t due = roster_count(dispatcher->options.roster, RUN_REPORTING);
	size_t want = wanted(dispatcher);
	bool asking = want > 0 && dispatcher->ask_due;
	size_t count;

	if (due == 0 && !asking)
		return;
	if (due > LIMIT_STEP_COUNT)
		due = LIMIT_STEP_COUNT;
	completions = xcalloc(due + 1, sizeof(*completions));
	dispatcher->step_runs = xreallocarray(dispatcher->step_runs, due + 1, sizeof(struct run *));
	count = completions_due(dispatcher, completions, due);
	if (count == 0 && !asking)
		return;
	dispatcher->step_run_count = count;
	dispatcher->step_want = want;
	dispatcher->step_in_flight = true;
	dispatcher->ask_due = dispatcher->ask_due && want == 0;
	if (want > 0)
		timer_disarm(&dispatcher->poll);
	worker_link_step(dispatcher->options.link, completions, count, want, on_stepped,
			 dispatcher);
}

void dispatcher_turn(struct dispatcher *dispatcher, bool calm)
{
	const struct dispatcher_options *options = &dispatcher->options;

	if (!dispatcher->draining)
		roster_start_waiting(options->roster);
	if (roster_count(options->roster, RUN_WAITING) > 0)
		timer_arm_if_idle(&dispatcher->stale, DISPATCHER_PREFETCH_AGE_MS / 4);
	if (calm && !dispatcher->step_in_flight && membership_is_held(options->membership) &&
	    worker_link_is_up(options->link))
		step(dispatcher);
}

void dispatcher_ask(struct dispatcher *dispatcher)
{
	dispatcher->ask_due = true;
	changed(dispatcher);
}

static void on_poll(void *context)
{
	dispatcher_ask(context);
}

void dispatcher_woken(struct dispatcher *dispatcher)
{
	timer_arm(&dispatcher->poll,
		  pace_woken(&dispatcher->pace, clock_boottime_ms(), rand_u64()));
}

bool dispatcher_is_idle(const struct dispatcher *dispatcher)
{
	return !dispatcher->step_in_flight;
}

struct dispatcher *dispatcher_new(const struct dispatcher_options *options)
{
	struct dispatcher *dispatcher = xcalloc(1, sizeof(*dispatcher));

	dispatcher->options = *options;
	pace_init(&dispatcher->pace);
	timer_init(&dispatcher->poll, options->event, SD_EVENT_PRIORITY_NORMAL, on_poll,
		   dispatcher);
	timer_init(&dispatcher->stale, options->event, SD_EVENT_PRIORITY_NORMAL, on_stale,
		   dispatcher);
	return dispatcher;
}

void dispatcher_free(struct dispatcher *dispatcher)
{
	if (!dispatcher)
		return;
	timer_release(&dispatcher->poll);
	timer_release(&dispatcher->stale);
	free(dispatcher->step_runs);
	free(dispatcher);
}
