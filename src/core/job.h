/* The words for a job's life, shared by SQL (smallint codes), API (names) and command line (exit
 * codes). A job's state is where its row stands: in ready, delayed or parked it is queued, with a
 * lease it is running, else its last attempt's outcome decides. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum job_state {
	JOB_QUEUED = 1,
	JOB_RUNNING,
	JOB_COMPLETED,
	JOB_FAILED,
	JOB_CANCELLED,
	JOB_STATE_MAX
};

/* X(NAME, code, "name", exit code of `rgrid run` or -1: the script's own, message)
 * Codes are stored; never renumber. */
#define OUTCOMES(X)                                                                \
	X(COMPLETED, 1, "completed", -1, "the script ended with exit code 0")      \
	X(FAILED, 2, "failed", -1, "the script ended with an error")               \
	X(TIMED_OUT, 3, "timed_out", 124, "the time limit was reached")            \
	X(OUT_OF_MEMORY, 4, "out_of_memory", 137, "the memory limit was reached")  \
	X(CANCELLED, 5, "cancelled", 130, "cancelled on request")                  \
	X(LOST, 6, "lost", 125, "the worker was lost")                             \
	X(OUT_OF_PIDS, 7, "out_of_pids", -1, "the limit of processes was reached") \
	X(OUT_OF_DISK, 8, "out_of_disk", -1, "the work directory was full")        \
	X(SYSTEM_ERROR, 9, "system_error", 125, "RGrid could not run the script")  \
	X(REJECTED, 10, "rejected", 125, "the worker cannot run this job")

enum outcome {
	OUTCOME_NONE = 0,
#define X(NAME, code, name, exit_code, message) OUTCOME_##NAME = (code),
	OUTCOMES(X)
#undef X
		OUTCOME_MAX
};

const char *outcome_name(enum outcome outcome);
const char *outcome_message(enum outcome outcome);
/* The exit code that `rgrid run` ends with, given the script's own (128+n for signal n). */
int outcome_exit_code(enum outcome outcome, int script_exit_code);

const char *job_state_name(enum job_state state);
/* false for an unknown name */
bool job_state_parse(const char *name, enum job_state *ret);

enum worker_state {
	WORKER_PROVISIONING = 1,
	WORKER_ACTIVE,
	WORKER_DRAINING,
	WORKER_TERMINATED,
	WORKER_DEAD,
	WORKER_FAILED,
	WORKER_STATE_MAX
};
const char *worker_state_name(enum worker_state state);
/* Whether the rules allow the step; the schema enforces the same table (checked by a test). */
bool worker_state_may_become(enum worker_state from, enum worker_state to);

enum log_stream { STREAM_STDOUT = 1, STREAM_STDERR = 2, STREAM_SYSTEM = 3 };
const char *log_stream_name(enum log_stream stream);
bool log_stream_parse(const char *name, enum log_stream *ret);
