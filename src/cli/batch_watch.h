/* A batch watched until it ends: a progress line, failures named as they happen, outputs fetched as
 * jobs end. Shared by run and attach; download uses the fetching part alone. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cli/session.h"

struct batch_watch_options {
	const char *output_directory; /* NULL: outputs are not fetched */
	bool flat;
	bool cancel_on_interrupt;
};

/* The exit code: 0 all succeeded, 1 some did not, 125 RGrid failed some; or -1. */
MUST_CHECK int batch_watch(struct session *session, const char *batch_id,
			   const struct batch_watch_options *options, struct error *err);
/* Fetches what has ended so far. *ret_job_count: how many jobs that were. */
MUST_CHECK int batch_fetch(struct session *session, const char *batch_id,
			   const struct batch_watch_options *options, uint64_t *ret_job_count,
			   struct error *err);
