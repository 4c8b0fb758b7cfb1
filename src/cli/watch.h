/* Waiting for a job as if it ran here: live output, outputs fetched, and an exit code. Shared by
 * run and attach. The first Ctrl-C detaches (or cancels, if asked), the second ends the program at
 * once. */
#pragma once

#include <stdbool.h>

#include "cli/session.h"
#include "cli/spending.h"

struct watch_options {
	const char *output_directory; /* NULL: outputs are not fetched */
	const char *const *arguments; /* for hints; NULL if unknown */
	bool cancel_on_interrupt;
	struct spending *spending; /* what was said at the submission; NULL: nothing */
};

/* The exit code of `rgrid run`, or -1. */
MUST_CHECK int watch_job(struct session *session, const char *job_id,
			 const struct watch_options *options, struct error *err);
/* After a signal: cancels (path of the cancel request) or says how to come back. The exit code. */
int watch_interrupted(struct session *session, const char *cancel_path, const char *id,
		      const char *attach_options, bool cancel);
/* After a failure while watching what was submitted: reports it, says how to come back, and gives
 * the exit code (-1 with err kept when only the reader of our output has gone). */
int watch_failed(struct session *session, const char *id, const char *attach_options,
		 struct error *err);
/* After a failure to submit: -1, or the exit code of an interrupt, which is then reported here. */
int watch_unsubmitted(struct session *session, struct error *err);
