/* The file with the provider's token. The token may do everything in the provider's project, so it
 * stands in a file of its own, which only root reads: systemd, which hands it to the orchestrator
 * alone, and the operator's verbs. The API, which answers strangers, runs as a user that cannot
 * read it, and finds it in none of its own files. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

#define TOKEN_FILE_NAME	   "hetzner.env"
#define TOKEN_FILE_DEFAULT "/etc/rgrid/" TOKEN_FILE_NAME

/* The token that the file assigns, by either of its names, appended. False when there is none. */
bool token_file_find(const char *path, struct buf *out);
/* Whether the file is root's and nobody else's to read. */
bool token_file_is_private(const char *path);
/* Makes the file private, and takes the token out of the others: if the file has one itself, theirs
 * are removed, else the first moves. Absent files are fine. */
MUST_CHECK int token_file_collect(const char *path, const char *const *others, size_t count,
				  struct error *err);
/* If this process's environment has no token, puts the file's there, if it may be read. */
void token_file_adopt(const char *path);
