#include "core/job.h"

#include <stddef.h>

#include "base/check.h"
#include "base/error.h"
#include "base/str.h"

struct outcome_row {
	const char *name;
	int exit_code; /* -1: the script's own */
	const char *message;
};

static const struct outcome_row outcome_rows[OUTCOME_MAX] = {
#define X(NAME, code, name, exit_code, message) [code] = {name, exit_code, message},
	OUTCOMES(X)
#undef X
};

static const struct outcome_row *outcome_row(enum outcome outcome)
{
	CHECK(outcome > OUTCOME_NONE);
	CHECK(outcome < OUTCOME_MAX);
	return &outcome_rows[outcome];
}

const char *outcome_name(enum outcome outcome)
{
	return outcome_row(outcome)->name;
}

const char *outcome_message(enum outcome outcome)
{
	return outcome_row(outcome)->message;
}

int outcome_exit_code(enum outcome outcome, int script_exit_code)
{
	int exit_code = outcome_row(outcome)->exit_code;

	return exit_code < 0 ? script_exit_code : exit_code;
}

static const char *const job_state_names[JOB_STATE_MAX] = {
	[JOB_QUEUED] = "queued", [JOB_RUNNING] = "running",	[JOB_COMPLETED] = "completed",
	[JOB_FAILED] = "failed", [JOB_CANCELLED] = "cancelled",
};

const char *job_state_name(enum job_state state)
{
	CHECK(state > 0);
	CHECK(state < JOB_STATE_MAX);
	return job_state_names[state];
}

bool job_state_parse(const char *name, enum job_state *ret)
{
	for (enum job_state state = JOB_QUEUED; state < JOB_STATE_MAX; state++) {
		if (str_eq(name, job_state_names[state])) {
			*ret = state;
			return true;
		}
	}
	return false;
}

static const char *const worker_state_names[WORKER_STATE_MAX] = {
	[WORKER_PROVISIONING] = "provisioning",
	[WORKER_ACTIVE] = "active",
	[WORKER_DRAINING] = "draining",
	[WORKER_TERMINATED] = "terminated",
	[WORKER_DEAD] = "dead",
	[WORKER_FAILED] = "failed",
};

const char *worker_state_name(enum worker_state state)
{
	CHECK(state > 0);
	CHECK(state < WORKER_STATE_MAX);
	return worker_state_names[state];
}

/* Ended states have no row: nothing comes back from them. */
static const bool worker_steps[WORKER_STATE_MAX][WORKER_STATE_MAX] = {
	[WORKER_PROVISIONING] = {[WORKER_ACTIVE] = true,
				 [WORKER_DRAINING] = true,
				 [WORKER_TERMINATED] = true,
				 [WORKER_DEAD] = true,
				 [WORKER_FAILED] = true},
	[WORKER_ACTIVE] =
		{[WORKER_DRAINING] = true, [WORKER_TERMINATED] = true, [WORKER_DEAD] = true},
	/* Back again when there is work: undrained. */
	[WORKER_DRAINING] = {[WORKER_PROVISIONING] = true,
			     [WORKER_ACTIVE] = true,
			     [WORKER_TERMINATED] = true,
			     [WORKER_DEAD] = true},
};

bool worker_state_may_become(enum worker_state from, enum worker_state to)
{
	CHECK(from > 0 && from < WORKER_STATE_MAX);
	CHECK(to > 0 && to < WORKER_STATE_MAX);
	return worker_steps[from][to];
}

static const char *const log_stream_names[] = {
	[STREAM_STDOUT] = "stdout",
	[STREAM_STDERR] = "stderr",
	[STREAM_SYSTEM] = "system",
};

const char *log_stream_name(enum log_stream stream)
{
	CHECK(stream >= STREAM_STDOUT);
	CHECK(stream <= STREAM_SYSTEM);
	return log_stream_names[stream];
}

bool log_stream_parse(const char *name, enum log_stream *ret)
{
	for (enum log_stream stream = STREAM_STDOUT; stream <= STREAM_SYSTEM; stream++) {
		if (str_eq(name, log_stream_names[stream])) {
			*ret = stream;
			return true;
		}
	}
	return false;
}
