/* Text to values and back, with every failure explained. Nothing here depends on the locale. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

static inline bool str_eq(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}
bool str_has_prefix(const char *text, const char *prefix);
bool str_has_suffix(const char *text, const char *suffix);
bool str_is_utf8(const char *text, size_t bytes); /* strict: no surrogates, no overlong forms */
/* The bytes of the first character of text[0..bytes), 1 to 4; 0 when it is a control character (C0,
 * DEL or C1, which terminals obey) or not UTF-8. bytes > 0. */
size_t str_printable_bytes(const char *text, size_t bytes);

/* Whole-string decimal number within [min, max]; ERR_INVALID names the text and the bounds. */
MUST_CHECK int parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret,
			 struct error *err);
MUST_CHECK int parse_i64(const char *text, int64_t min, int64_t max, int64_t *ret,
			 struct error *err);
/* "512M", "1.5GiB", "100000": bytes. K M G T and KiB… are powers of 1024, KB MB… of 1000. */
MUST_CHECK int parse_bytes(const char *text, uint64_t *ret_bytes, struct error *err);
/* "90", "90s", "1h30m", "250ms", "2d": milliseconds; a bare number means seconds. */
MUST_CHECK int parse_duration(const char *text, uint64_t *ret_ms, struct error *err);
/* "0.5", "2": thousandths. */
MUST_CHECK int parse_millis(const char *text, uint64_t *ret_millis, struct error *err);

/* "1.5 GiB"; "1m 05s", "250 ms". Writes at most `size` bytes with NUL and returns `out`. */
const char *format_bytes(uint64_t bytes, char *out, size_t size);
const char *format_duration(uint64_t ms, char *out, size_t size);

/* The candidate nearest to `word` by edit distance, or NULL when none is near ("did you mean"). */
const char *str_suggest(const char *word, const char *const *candidates, size_t count);
