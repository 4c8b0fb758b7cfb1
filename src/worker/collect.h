/* Finds an ended attempt's outputs: the regular files of its work directory that are not inputs
 * left as they were. The script may have left anything there, so everything else is refused, with
 * one line each in the job's log: symbolic links of any kind, devices, fifos, sockets, hard links
 * whose other name is elsewhere, unsafe names, what lies too deep, what is too large or too many.
 *
 * First the directory is walked, then each file is hashed and handed out, one at a time, in order
 * of their paths; both in slices, so that heartbeats never wait. Nothing runs in the directory any
 * more. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/error.h"
#include "base/hash.h"
#include "worker/stage.h"

#define COLLECT_SLICE_BYTES   ((size_t)1 << 20)
#define COLLECT_SLICE_ENTRIES 256
/* Directory entries looked at in all; a tree with more is cut off there. */
#define COLLECT_ENTRIES_MAX 100000
/* Refusals told one by one; the rest is counted. */
#define COLLECT_REFUSALS_TOLD 20

struct collect;

struct collected_file {
	const char *path; /* the collect's, until collect_free */
	uint8_t blob[SHA256_BYTES];
	uint64_t size_bytes;
	bool executable;
};

struct collect_options {
	sd_event *event;
	int work_fd;			  /* borrowed */
	const struct staged_file *staged; /* borrowed, sorted by path */
	size_t staged_count;
	uint64_t bytes_max; /* of all outputs together */
	void *context;
	/* One line for the job's log. */
	void (*say)(void *context, const char *text);
	/* An output and a descriptor of it at offset 0, the receiver's to close; the next comes
	 * after collect_next. */
	void (*on_file)(void *context, const struct collected_file *file, int fd);
	void (*on_done)(void *context);
};

/* Starts at once; callbacks run from the loop. */
struct collect *collect_new(const struct collect_options *options);
/* Ends it without its callback, if it still runs. NULL is fine. */
void collect_free(struct collect *collect);
void collect_next(struct collect *collect);
