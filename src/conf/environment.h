/* The environment that RGrid's processes give to those they start: their own, without any RGRID_*
 * setting (those are this process's business, some are secrets), and with what is added. */
#pragma once

#define ENVIRONMENT_ENTRIES_MAX 1024

struct environment {
	const char
		*entries[ENVIRONMENT_ENTRIES_MAX + 1]; /* NULL-terminated; borrowed from environ */
};

/* `added` holds "NAME=value", NULL-terminated, borrowed as well. */
void environment_make(const char *const *added, struct environment *ret);
