#include "drain.h"

#include <stdlib.h>
#include <systemd/sd-event.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "store/worker_link.h"

/* How long a worker waits when nothing is queued while others still submit. */
#define EMPTY_WAIT_US 1000

struct run;

struct worker {
	struct run *run;
	struct worker_link *link;
	struct worker_completion *done; /* claimed last time, completed by the next step */
	size_t done_count;
	uint64_t sent_us;
	sd_event_source *timer; /* while nothing is queued */
};

struct run {
	const struct drain *drain;
	sd_event *event;
	struct worker workers[GRID_WORKERS_MAX];
	size_t joined;
	uint64_t start_us;
	struct drain_result result;
	bool failed;
	struct error *err;
};

static void stop(struct run *run)
{
	CHECK(sd_event_exit(run->event, 0) >= 0);
}

static void fail(struct run *run, const struct error *err)
{
	if (!run->failed)
		*run->err = *err;
	run->failed = true;
	stop(run);
}

static void stepped(void *context, const enum worker_verdict *verdicts, size_t verdict_count,
		    const struct worker_claim *claims, size_t claim_count, const struct error *err);

static void step(struct worker *worker)
{
	worker->sent_us = clock_boottime_us();
	worker_link_step(worker->link, worker->done, worker->done_count, worker->run->drain->batch,
			 stepped, worker);
}

static int step_later(sd_event_source *source, uint64_t now_us, void *context)
{
	struct worker *worker = context;

	(void)now_us;
	worker->timer = sd_event_source_unref(source);
	step(worker);
	return 0;
}

static void keep_latency(struct run *run, const struct worker *worker)
{
	const struct drain *drain = run->drain;

	if (run->result.steps < drain->step_us_max)
		drain->step_us[run->result.steps] = clock_boottime_us() - worker->sent_us;
	run->result.steps++;
}

static void stepped(void *context, const enum worker_verdict *verdicts, size_t verdict_count,
		    const struct worker_claim *claims, size_t claim_count, const struct error *err)
{
	struct worker *worker = context;
	struct run *run = worker->run;

	if (err != NULL) {
		fail(run, err);
		return;
	}
	keep_latency(run, worker);
	for (size_t i = 0; i < verdict_count; i++)
		CHECK(verdicts[i] == VERDICT_RECORDED);
	run->result.completed += verdict_count;
	run->result.leased += claim_count;
	run->result.leased -= verdict_count;
	worker->done_count = claim_count;
	for (size_t i = 0; i < claim_count; i++) {
		CHECK(claims[i].spec_bytes > 0);
		worker->done[i] = (struct worker_completion){
			.lease = claims[i].lease,
			.outcome = OUTCOME_COMPLETED,
			.started = true,
			.run_us = 1000000,
			.cpu_us = 900000,
			.memory_peak_bytes = 10 << 20,
			.stdout_bytes = 100,
			.unenforced = "",
		};
	}
	if (run->result.completed >= run->drain->jobs)
		stop(run);
	else if (claim_count > 0 || verdict_count > 0)
		step(worker);
	else
		CHECK(sd_event_add_time_relative(run->event, &worker->timer, CLOCK_MONOTONIC,
						 EMPTY_WAIT_US, 1, step_later, worker) >= 0);
}

static void joined(void *context, int64_t worker_id, int32_t incarnation, const struct error *err)
{
	struct worker *worker = context;
	struct run *run = worker->run;

	(void)worker_id;
	(void)incarnation;
	if (err != NULL) {
		fail(run, err);
		return;
	}
	if (++run->joined < run->drain->grid->worker_count)
		return;
	run->start_us = clock_boottime_us();
	for (size_t i = 0; i < run->joined; i++)
		step(&run->workers[i]);
}

static void on_up(void *context)
{
	static const char *const nothing[] = {NULL};
	struct worker *worker = context;
	const struct worker_join join = {
		.slots = 1,
		.cpu_millis = 1000,
		.memory_bytes = 1 << 30,
		.hostname = "bench",
		.version = "bench",
		.unenforced = nothing,
	};

	worker_link_join(worker->link, &join, joined, worker);
}

static void on_down(void *context, const struct error *err)
{
	struct worker *worker = context;

	fail(worker->run, err);
}

static void on_hint(void *context)
{
	(void)context; /* the workers here never wait for a wake-up */
}

static int run_loop(struct run *run)
{
	const struct drain *drain = run->drain;

	for (size_t i = 0; i < drain->grid->worker_count; i++) {
		struct worker *worker = &run->workers[i];
		const struct worker_link_options options = {
			.event = run->event,
			.conninfo = drain->grid->worker_conninfo[i],
			.context = worker,
			.on_up = on_up,
			.on_down = on_down,
			.on_wake = on_hint,
			.on_kill = on_hint,
		};

		worker->run = run;
		worker->done = xcalloc(drain->batch, sizeof(worker->done[0]));
		if (worker_link_new(&options, &worker->link, run->err) < 0)
			return -1;
	}
	if (sd_event_loop(run->event) < 0)
		return error_set(run->err, ERR_INTERNAL, "the event loop failed");
	run->result.elapsed_us = clock_boottime_us() - run->start_us;
	return run->failed ? -1 : 0;
}

int drain_run(const struct drain *drain, struct drain_result *ret, struct error *err)
{
	struct run *run = xcalloc(1, sizeof(*run));
	int result;

	CHECK(drain->grid->worker_count > 0);
	run->drain = drain;
	run->err = err;
	CHECK(sd_event_new(&run->event) >= 0);
	result = run_loop(run);
	for (size_t i = 0; i < drain->grid->worker_count; i++) {
		sd_event_source_disable_unref(run->workers[i].timer);
		worker_link_free(run->workers[i].link);
		free(run->workers[i].done);
	}
	sd_event_unref(run->event);
	if (result == 0)
		*ret = run->result;
	free(run);
	return result;
}
