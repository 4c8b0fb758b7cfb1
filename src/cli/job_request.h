/* From options and inputs to the JSON that the API takes. What does not change between the jobs of
 * a batch is built once (job_request_base). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "base/opts.h"
#include "cli/inputs.h"

struct runtime;

/* The options of `rgrid run` that describe a job. Zero and NULL: the server's default. */
struct job_options {
	const char *name;
	const char *runtime;
	const char *network;
	struct opt_list env;	/* K=V, or K: from our own environment */
	struct opt_list labels; /* k=v */
	uint64_t cpu_millis;
	uint64_t memory_bytes;
	uint64_t timeout_ms;
	uint64_t disk_bytes;
	uint64_t pids;
	uint64_t retries;
};

/* The runtime asked for ("python", also "python3.11" and the like, with *ret_inexact), or the one
 * that fits the script. */
MUST_CHECK int job_request_runtime(const struct job_options *options, const char *script,
				   const struct runtime **ret, bool *ret_inexact,
				   struct error *err);
/* Everything but name, args and stdin. `inline_script`: small text travels in the request itself
 * (the script then needs no upload; *ret_inlined). A new reference. */
MUST_CHECK int job_request_base(const struct job_options *options, const struct runtime *runtime,
				const struct inputs *inputs, bool inline_script, json_t **ret,
				bool *ret_inlined, struct error *err);
/* "labels" as an object; also for the batch itself. A new reference, NULL if there are none. */
MUST_CHECK int job_request_labels(const struct opt_list *labels, json_t **ret, struct error *err);
/* Sets args. */
void job_request_set_args(json_t *job, char *const *args, size_t count);
/* Adds a hashed file, or an empty directory, to a job's own list. */
void job_request_add_file(json_t *job, const struct input_file *file);
void job_request_add_directory(json_t *job, const char *path);
/* The checks that the server will make, made here before anything is sent. */
MUST_CHECK int job_request_check(const json_t *job, struct error *err);
