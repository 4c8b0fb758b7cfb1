/* Patterns over files: `*`, `?` and `[…]` within a name, `**` for any depth of directories.
 * Wildcards do not match a leading dot, `**` does not follow symbolic links to directories. Only
 * regular files are found, sorted by name, each once. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define GLOB_MATCHES_MAX 200000

struct path_list {
	char **items;
	size_t count, capacity;
};
void path_list_release(struct path_list *list);
#define cleanup_path_list path_list_release
void path_list_add(struct path_list *list, const char *path);

/* No match is an empty list. ERR_TOO_LARGE beyond the maximum. */
MUST_CHECK int glob_files(const char *pattern, struct path_list *ret, struct error *err);
bool glob_is_pattern(const char *text);
/* How many bytes of the pattern stand before the first component with a wildcard ("data/" of
 * "data/x/..."). */
size_t glob_fixed_bytes(const char *pattern);
