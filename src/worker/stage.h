/* Puts a job's inputs into its work directory before it starts: directories, files, the script, all
 * owned by the job's user, and stdin as a file of its own outside. Blobs come through the cache and
 * are copied, in slices, so that the loop never stalls. Each file's stamp is kept: what still bears
 * it afterwards is an input, not an output. */
#pragma once

#include <stddef.h>
#include <systemd/sd-event.h>

#include "core/job.h"
#include "core/job_spec.h"
#include "worker/cache.h"
#include "worker/tree.h"

#define STAGE_SLICE_BYTES ((size_t)1 << 20)
#define STAGE_SLICE_ITEMS 64

struct stage;

struct staged_file {
	const char *path; /* borrowed from the spec */
	struct tree_stamp stamp;
};

struct stage_options {
	sd_event *event;
	struct cache *cache;
	const struct job_spec *spec; /* must outlive the stage */
	int work_fd;		     /* borrowed; the directory is empty */
	int spool_fd;		     /* directory for stdin's nameless copy */
	struct tree_owner owner;
	void *context;
	/* OUTCOME_NONE: all is in place. Else how the attempt ends, and why. Runs from the loop. */
	void (*on_done)(void *context, enum outcome outcome, const struct error *err);
};

/* Starts at once. */
struct stage *stage_new(const struct stage_options *options);
/* Ends it without its callback, if it still runs. NULL is fine. */
void stage_free(struct stage *stage);

/* To read stdin from; the stage's. /dev/null if the job has none. */
int stage_stdin_fd(const struct stage *stage);
/* Sorted by path. */
const struct staged_file *stage_files(const struct stage *stage, size_t *ret_count);
/* The one of that path, or NULL. */
const struct staged_file *staged_file_find(const struct staged_file *files, size_t count,
					   const char *path);
