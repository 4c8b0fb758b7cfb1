/* `rgrid run`: one script, alone or over the items of a batch. verb_run.c reads the options,
 * run_single.c and run_batch.c do it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cli/inputs.h"
#include "cli/job_request.h"
#include "cli/session.h"

#define RUN_BATCH_OUTPUT_DIRECTORY "outputs"

struct run_options {
	struct job_options job;
	struct opt_list files;
	const char *batch_pattern; /* one of the two makes it a batch */
	const char *lines_path;
	const char *output_directory; /* NULL: here, or RUN_BATCH_OUTPUT_DIRECTORY */
	uint64_t parallel;	      /* 0: no limit */
	uint64_t max_fails;	      /* 0: no limit */
	const char *max_cost;	      /* euros; NULL: no limit */
	uint64_t max_cost_micros;     /* the same, read; 0: no limit */
	bool flat;
	bool detach;
	bool no_stdin;
	bool cancel_on_interrupt;
};

/* What the user said. */
struct run_call {
	const struct run_options *options;
	const char *script;
	const char *const *arguments; /* NULL-terminated */
	size_t argument_count;
};

/* The exit code, or -1. */
MUST_CHECK int run_single(struct session *session, const struct run_call *call, struct error *err);
MUST_CHECK int run_batch(struct session *session, const struct run_call *call, struct error *err);

/* Script and --file into `inputs`, and the runtime that fits. */
MUST_CHECK int run_prepare(struct session *session, const struct run_call *call,
			   struct inputs *inputs, const struct runtime **ret_runtime,
			   struct error *err);
/* Prints and empties the notes that inputs gathered. */
void run_say_notes(struct terminal *terminal, struct inputs *inputs);
