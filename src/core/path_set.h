/* The paths that a job puts into its work directory: the script, the files and the empty
 * directories. They can all be made only if no two are the same and none lies below a file. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct path_entry {
	const char *path; /* relative, without "." and ".." */
	bool is_directory;
	size_t order; /* position in the specification: of two in conflict, the later is at fault */
};

/* Sorts `entries` (n log n) and finds two that cannot both be made: *ret_fault comes later in the
 * specification when both are the same path, or lies below the file *ret_other. False: no conflict.
 */
bool path_set_conflict(struct path_entry *entries, size_t count,
		       const struct path_entry **ret_fault, const struct path_entry **ret_other);
