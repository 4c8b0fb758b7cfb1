/* Runtimes: how a script is started inside the sandbox ("host" image: the worker's own
 * installation through the allow-list root). One table serves API validation, the command line's
 * choice by extension or shebang, completion, and the worker's argv. */
#pragma once

#include <stddef.h>

#include "base/error.h"

struct runtime {
	const char *name; /* "python" */
	const char *const
		*argv; /* interpreter and flags, NULL-terminated; empty: execute the file */
	const char *const *extensions;	 /* ".py", NULL-terminated */
	const char *const *interpreters; /* names that a shebang may end with: "python3" */
	const char *package;		 /* what to install where it is missing: "python3" */
};

const struct runtime *runtime_find(const char *name); /* NULL if unknown */
size_t runtime_count(void);
const struct runtime *runtime_at(size_t index);
/* By extension of `path` first, then by the shebang in the first bytes of the script. `exec` when
 * the file is an ELF program or names another interpreter that the sandbox can start itself.
 * ERR_INVALID with a hint when none fits. */
MUST_CHECK int runtime_guess(const char *path, const char *head, size_t head_bytes,
			     const struct runtime **ret, struct error *err);
