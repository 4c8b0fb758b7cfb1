#include "worker/run.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"
#include "core/job_spec.h"
#include "core/runtime.h"
#include "worker/command.h"
#include "worker/log_pump.h"
#include "worker/outputs.h"
#include "worker/process.h"
#include "worker/report.h"
#include "worker/stage.h"

struct run {
	const struct run_services *services;
	struct lease_id lease;
	int64_t batch_id;
	struct job_spec spec;
	uint64_t claimed_ms;
	size_t slot;
	struct stage *stage;
	struct log_pump *pump; /* from run_start on */
	struct outputs *outputs;
	struct process *process; /* while it runs */
	uint64_t run_us;
	uint64_t cpu_us;
	uint64_t memory_peak_bytes;
	uint64_t log_group; /* the group that logs were last sent in, and how many went with it */
	size_t logs_in_group;
	size_t logs_in_flight;
	struct report report;
	enum run_state state;
	int32_t batch_index;
	int work_fd; /* the sandbox's, while a slot is held */
	struct tree_owner owner;
	bool has_spec;
	bool started;
	bool cancelled;
	bool is_being_reported;
};

static void changed(struct run *run)
{
	run->services->on_change(run->services->context);
}

static void try_to_end(struct run *run)
{
	if (run->state == RUN_DISCARDED && !run->process && run->logs_in_flight == 0 &&
	    !run->is_being_reported && (!run->outputs || outputs_is_idle(run->outputs))) {
		run->state = RUN_OVER;
		changed(run);
	}
}

static void release_slot(struct run *run)
{
	stage_free(TAKE_PTR(run->stage));
	run->slot = RUN_NO_SLOT;
	run->work_fd = -1;
}

/* The attempt's end is known: what is left is to tell it. */
static void conclude(struct run *run)
{
	release_slot(run);
	run->state = RUN_REPORTING;
	changed(run);
}

static void refuse(struct run *run, enum outcome outcome, const char *message)
{
	report_refused(outcome, message, &run->report);
	conclude(run);
}

static void on_log_answered(void *context, enum worker_verdict verdict, const struct error *err)
{
	struct run *run = context;

	run->logs_in_flight--;
	log_pump_answered(run->pump, !err);
	if (err)
		run->services->on_link_error(run->services->context, err);
	else if (verdict == VERDICT_LOST)
		run_discard(run);
	try_to_end(run);
}

static bool send_log(void *context, const struct log_chunk *chunk)
{
	struct run *run = context;
	struct worker_link *link = run->services->link;
	const struct worker_log_chunk sent = {
		.lease = run->lease,
		.seq = chunk->seq,
		.stream = chunk->stream,
		.start = chunk->start,
		.data = chunk->data,
		.bytes = chunk->bytes,
	};

	if (!worker_link_is_up(link) || run->state == RUN_DISCARDED)
		return false;
	if (run->log_group != worker_link_group(link)) {
		run->log_group = worker_link_group(link);
		run->logs_in_group = 0;
	}
	run->logs_in_group++;
	run->logs_in_flight++;
	worker_link_log(link, &sent, on_log_answered, run);
	return true;
}

static void on_log_progress(void *context)
{
	changed(context);
}

static void say(void *context, const char *text)
{
	struct run *run = context;

	log_pump_say(run->pump, text);
}

static void open_log(struct run *run)
{
	const struct log_pump_options options = {
		.event = run->services->event,
		.context = run,
		.send = send_log,
		.on_progress = on_log_progress,
	};
	const char *const *unenforced = sandbox_unenforced(run->services->sandbox);

	run->pump = log_pump_new(&options);
	for (; *unenforced; unenforced++) {
		CLEANUP(cleanup_free)
		char *line = xasprintf("rgrid: this worker cannot hold a limit: %s", *unenforced);

		say(run, line);
	}
}

/* All that happened in the work directory is known: now the outcome is. */
static void on_outputs(void *context, const struct error *err)
{
	struct run *run = context;

	if (run->state == RUN_DISCARDED) {
		release_slot(run);
		changed(run);
		try_to_end(run);
		return;
	}
	if (err && run->report.outcome == OUTCOME_COMPLETED)
		report_refused(OUTCOME_SYSTEM_ERROR, err->msg, &run->report);
	else if (err)
		say(run, err->msg);
	conclude(run);
}

static void on_outputs_sent(void *context, const struct error *err)
{
	struct run *run = context;

	if (err)
		run->services->on_link_error(run->services->context, err);
	try_to_end(run);
	changed(run);
}

static void on_outputs_lost(void *context)
{
	run_discard(context);
}

static void collect_outputs(struct run *run)
{
	struct outputs_options options = {
		.event = run->services->event,
		.link = run->services->link,
		.transfers = run->services->transfers,
		.lease = run->lease,
		.work_fd = run->work_fd,
		.bytes_max = run->spec.limits.disk_bytes,
		.context = run,
		.say = say,
		.on_uploaded = on_outputs,
		.on_sent = on_outputs_sent,
		.on_lost = on_outputs_lost,
	};

	options.staged = stage_files(run->stage, &options.staged_count);
	run->state = RUN_COLLECTING;
	run->outputs = outputs_new(&options);
}

static void on_process_ended(void *context, const struct process_ending *ending)
{
	struct run *run = context;
	const struct report_facts facts = {
		.cancelled = run->cancelled,
		.timed_out = ending->timed_out,
		.limits = &run->spec.limits,
		.result = &ending->result,
	};

	run->run_us = ending->run_us;
	run->cpu_us = ending->result.cpu_us;
	run->memory_peak_bytes = ending->result.memory_peak_bytes;
	report_ended(&facts, &run->report);
	process_free(TAKE_PTR(run->process));
	if (run->state != RUN_DISCARDED) {
		collect_outputs(run);
		return;
	}
	release_slot(run);
	try_to_end(run);
	changed(run);
}

static int start_process(struct run *run, struct error *err)
{
	const struct command_identity identity = {
		.job_id = run->lease.job_id,
		.batch_id = run->batch_id,
		.batch_index = run->batch_index,
		.attempt = run->lease.attempt,
	};
	CLEANUP(cleanup_command) struct command command;
	struct sandbox_run sandbox_run;
	struct process_options options = {
		.event = run->services->event,
		.sandbox = run->services->sandbox,
		.slot = run->slot,
		.run = &sandbox_run,
		.owner = run->owner,
		.context = run,
		.on_ended = on_process_ended,
	};
	int stdout_fd;
	int stderr_fd;

	command_init(&command, &run->spec, &identity);
	sandbox_run = (struct sandbox_run){
		.argv = command.argv,
		.envp = (const char *const *)command.envp,
		.limits = run->spec.limits,
		.network = run->spec.network,
		.stdin_fd = stage_stdin_fd(run->stage),
	};
	if (process_start(&options, &run->process, &stdout_fd, &stderr_fd, err) < 0)
		return -1;
	log_pump_open(run->pump, stdout_fd, stderr_fd);
	run->started = true;
	run->state = RUN_RUNNING;
	return 0;
}

static void on_staged(void *context, enum outcome outcome, const struct error *failure)
{
	struct run *run = context;
	struct error err;

	if (outcome != OUTCOME_NONE) {
		refuse(run, outcome, failure->msg);
		return;
	}
	if (start_process(run, &err) < 0)
		refuse(run, err.code == ERR_UNPROCESSABLE ? OUTCOME_REJECTED : OUTCOME_SYSTEM_ERROR,
		       err.msg);
}

/* The interpreter must be where the sandbox will look for it. */
static bool runtime_is_installed(const struct runtime *runtime)
{
	static const char *const places[] = {"/usr/local/bin", "/usr/bin"};

	if (!runtime->argv[0])
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		CLEANUP(cleanup_free)
		char *path = xasprintf("%s/%s", places[i], runtime->argv[0]);

		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

static int begin(struct run *run, struct error *err)
{
	const struct runtime *runtime = run->spec.runtime;
	struct stage_options options = {
		.event = run->services->event,
		.cache = run->services->cache,
		.spec = &run->spec,
		.spool_fd = run->services->spool_fd,
		.context = run,
		.on_done = on_staged,
	};

	if (!runtime_is_installed(runtime))
		return error_set(err, ERR_UNPROCESSABLE,
				 "%s is not installed on worker %s; install the package %s there",
				 runtime->name, run->services->worker_name, runtime->package);
	if (sandbox_prepare(run->services->sandbox, run->slot, run->spec.limits.disk_bytes,
			    &run->work_fd, &run->owner.uid, &run->owner.gid, err) < 0)
		return -1;
	options.work_fd = run->work_fd;
	options.owner = run->owner;
	run->stage = stage_new(&options);
	run->state = RUN_STAGING;
	return 0;
}

void run_start(struct run *run, size_t slot)
{
	struct error err;

	CHECK(run->state == RUN_WAITING);
	run->slot = slot;
	open_log(run);
	if (begin(run, &err) < 0)
		refuse(run, err.code == ERR_UNPROCESSABLE ? OUTCOME_REJECTED : OUTCOME_SYSTEM_ERROR,
		       err.msg);
}

static int read_spec(struct run *run, const struct worker_claim *claim, struct error *err)
{
	CLEANUP(cleanup_json) json_t *json = NULL;

	if (json_parse(claim->spec, claim->spec_bytes, &json, err) < 0 ||
	    job_spec_read(json, "", &run->spec, err) < 0)
		return error_wrap(err, "worker %s does not understand the job's specification",
				  run->services->worker_name);
	run->has_spec = true;
	return 0;
}

struct run *run_new(const struct run_services *services, const struct worker_claim *claim)
{
	struct run *run = xcalloc(1, sizeof(*run));
	struct error err;

	run->services = services;
	run->state = RUN_WAITING;
	run->lease = claim->lease;
	run->batch_id = claim->batch_id;
	run->batch_index = claim->batch_index;
	run->claimed_ms = clock_boottime_ms();
	run->slot = RUN_NO_SLOT;
	run->work_fd = -1;
	if (read_spec(run, claim, &err) < 0)
		refuse(run, OUTCOME_REJECTED, err.msg);
	return run;
}

void run_free(struct run *run)
{
	if (!run)
		return;
	process_free(run->process);
	outputs_free(run->outputs);
	stage_free(run->stage);
	log_pump_free(run->pump);
	if (run->has_spec)
		job_spec_release(&run->spec);
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
	return clock_boottime_ms() - run->claimed_ms;
}

uint64_t run_time_us(const struct run *run)
{
	return run->run_us;
}

void run_cancel(struct run *run)
{
	switch (run->state) {
	case RUN_WAITING:
	case RUN_STAGING:
		run->cancelled = true;
		refuse(run, OUTCOME_CANCELLED, outcome_message(OUTCOME_CANCELLED));
		break;
	case RUN_RUNNING:
		run->cancelled = true;
		process_kill(run->process);
		break;
	case RUN_COLLECTING:
		/* The script is done, but its outputs may wait long for the API. */
		outputs_abandon(run->outputs);
		refuse(run, OUTCOME_CANCELLED, outcome_message(OUTCOME_CANCELLED));
		break;
	case RUN_REPORTING:
	case RUN_DISCARDED:
	case RUN_OVER:
		break;
	}
}

void run_discard(struct run *run)
{
	enum run_state before = run->state;

	if (before == RUN_DISCARDED || before == RUN_OVER)
		return;
	run->state = RUN_DISCARDED;
	if (run->pump)
		log_pump_close(run->pump);
	if (run->outputs)
		outputs_abandon(run->outputs);
	if (run->process)
		process_kill(run->process);
	else
		release_slot(run);
	changed(run);
	try_to_end(run);
}

bool run_send_rest(struct run *run)
{
	struct worker_link *link = run->services->link;
	size_t current;

	CHECK(run->state == RUN_REPORTING);
	if (run->pump) {
		if (!log_pump_ended(run->pump))
			return false;
		log_pump_flush(run->pump);
		current = run->log_group == worker_link_group(link) ? run->logs_in_group : 0;
		if (!log_pump_is_sent(run->pump) || run->logs_in_flight != current)
			return false;
	}
	return !run->outputs || outputs_send(run->outputs);
}

void run_completion(const struct run *run, struct worker_completion *ret)
{
	*ret = (struct worker_completion){
		.lease = run->lease,
		.outcome = run->report.outcome,
		.exit_code = run->report.exit_code,
		.message = run->report.message[0] != '\0' ? run->report.message : NULL,
		.started = run->started,
		.run_us = run->run_us,
		.cpu_us = run->cpu_us,
		.memory_peak_bytes = run->memory_peak_bytes,
		.unenforced = run->services->unenforced,
	};
	if (run->pump) {
		ret->stdout_bytes = log_pump_bytes(run->pump, STREAM_STDOUT);
		ret->stderr_bytes = log_pump_bytes(run->pump, STREAM_STDERR);
	}
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
	if (run->pump && run->state != RUN_DISCARDED && run->state != RUN_OVER)
		log_pump_resend(run->pump);
}
