/* The items of a batch: files of a pattern, or lines of a file. Each gets a name of its own, a
 * clean relative path that its outputs are stored under: what the pattern left open of a file's
 * path, or the line with its awkward characters replaced. Names are unique, also with the suffixes
 * that logs get (see outputs.h), and fit a job's name, which is how they come back when outputs are
 * fetched later. */
#pragma once

#include <stddef.h>

#include "base/error.h"
#include "cli/glob.h"

struct batch_items {
	struct path_list texts; /* what the script gets */
	struct path_list names; /* same count and order */
};

void batch_items_release(struct batch_items *items);
#define cleanup_batch_items batch_items_release

/* ERR_NOT_FOUND's meaning with exit code 2 when nothing matches. */
MUST_CHECK int batch_items_from_glob(const char *pattern, struct batch_items *ret,
				     struct error *err);
/* "-" reads standard input. Empty lines are skipped. */
MUST_CHECK int batch_items_from_lines(const char *path, struct batch_items *ret, struct error *err);
/* Puts `text` where "{}" stands in each of the arguments, or after them; a new NULL-terminated
 * array. */
char **batch_item_arguments(const char *const *arguments, size_t count, const char *text,
			    size_t *ret_count);
void batch_item_arguments_free(char **arguments);
void cleanup_batch_item_arguments(char ***arguments);
