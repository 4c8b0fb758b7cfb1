/* The read-only root that scripts see: a small directory with the layout of a merged /usr, and
 * bound into it, read-only, only what interpreters need of the host (root_binds). Nothing else of
 * the host is visible. */
#pragma once

#include <stdbool.h>

#include "base/error.h"

struct root_bind {
	const char *path; /* same on the host and inside */
	bool is_directory;
};

/* Calls `visit` for each entry of the allow-list that exists on this machine. */
void root_each_bind(void (*visit)(void *context, const struct root_bind *bind), void *context);

#define ROOT_INIT "/.rgrid-init" /* the sandbox's first process, inside */

/* Lays the directory out at `path` (fresh), with a copy of the program `init` at ROOT_INIT. */
MUST_CHECK int root_build(const char *path, const char *init, struct error *err);
