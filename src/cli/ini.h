/* The configuration files of the command line: `key = value` lines, `#` and `;` comments,
 * `[section]` headings (skipped: there is one server per file), values optionally in double quotes.
 */
#pragma once

#include <stddef.h>

#include "base/error.h"

#define INI_FILE_BYTES_MAX (64ULL * 1024)

/* Calls `take` for each pair; text is borrowed for the call, `line` counts from 1. A non-zero
 * return of `take` (with err filled) stops. `name` is the file's, for messages. */
MUST_CHECK int ini_parse(char *text, const char *name,
			 int (*take)(void *context, const char *key, const char *value,
				     unsigned line, struct error *err),
			 void *context, struct error *err);
