/* How an attempt ended, in words and numbers: the facts in, the outcome out. Pure. */
#pragma once

#include <stdbool.h>

#include "core/job.h"
#include "core/job_spec.h"
#include "core/limits.h"
#include "sandbox/sandbox.h"

struct report_facts {
	bool cancelled; /* stopped, or never started, because somebody asked */
	bool timed_out; /* stopped by us for its time limit */
	const struct job_limits *limits;
	const struct sandbox_result *result;
};

struct report {
	enum outcome outcome;
	int exit_code;			   /* -1: the script did not end by itself */
	char message[LIMIT_MESSAGE_BYTES]; /* "" for a completed attempt */
};

/* The first that holds of: cancelled, could not be started, timed out, out of memory; then, of
 * scripts that failed, out of processes, out of disk, failed. */
void report_ended(const struct report_facts *facts, struct report *ret);
/* For an attempt that RGrid ended itself. */
void report_refused(enum outcome outcome, const char *message, struct report *ret);
