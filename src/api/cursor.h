/* Cursors of lists: a position, opaque to clients, checked when it comes back. Text: the kind's
 * letter, 13 base32 digits a number, 6 digits of checksum; nothing in it needs URL encoding. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum cursor_kind {
	CURSOR_JOBS = 'j',
	CURSOR_BATCHES = 'b',
	CURSOR_RESULTS = 'r',
	CURSOR_KEYS = 'k',
	CURSOR_WORKERS = 'w',
};

#define CURSOR_NUMBERS_MAX 2
#define CURSOR_TEXT_BYTES  64

/* Numbers must not be negative. Returns out. */
const char *cursor_format(enum cursor_kind kind, const int64_t *numbers, size_t count,
			  char out[CURSOR_TEXT_BYTES]);
/* ERR_INVALID, field "cursor", for anything that cursor_format has not made. */
MUST_CHECK int cursor_parse(const char *text, enum cursor_kind kind, int64_t *ret_numbers,
			    size_t count, struct error *err);
