/* The first half of collecting outputs: a walk through a hostile directory tree, a slice at a time.
 * It yields the regular files that may be outputs and refuses the rest, with a reason. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "worker/stage.h"
#include "worker/tree.h"

struct walk;

struct found_file {
	char *path; /* the walk's */
	struct tree_stamp stamp;
	uint64_t link_count;
	bool executable;
	bool is_input; /* as it was staged: no output, but its links count */
};

struct walk_options {
	int work_fd; /* borrowed */
	const struct staged_file *staged;
	size_t staged_count;
	void *context;
	/* `path` is printable. */
	void (*refuse)(void *context, const char *path, const char *why);
};

struct walk *walk_new(const struct walk_options *options);
void walk_free(struct walk *walk);
/* Looks at up to entries_max entries. False when the walk is over. */
bool walk_some(struct walk *walk, size_t entries_max);
/* After the walk: what was found, sorted by path, hard links to elsewhere already refused. */
struct found_file *walk_files(struct walk *walk, size_t *ret_count);
