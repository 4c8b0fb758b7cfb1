/* Errors are values. A fallible function returns 0 or -1, takes `struct error *err` last, fills it
 * only on failure, and is MUST_CHECK. Context is put in front while unwinding (error_wrap). The
 * error is printed or logged once, at the top. The caller owns the struct; nothing allocates.
 *
 * msg says what happened and why ("cannot read input.csv: No such file or directory"), hint what
 * to do about it, field names the offending part of a request ("limits.memory_bytes"). */
#pragma once

#include <stdarg.h>
#include <stdbool.h>

#include "base/banned.h"
#include "base/cleanup.h"

enum error_code {
	ERR_NONE = 0,
#define X(name, text, http, exit_code, retryable) ERR_##name,
#include "base/errors.def"
#undef X
	ERR_MAX
};

#define ERROR_MESSAGE_BYTES 512
#define ERROR_HINT_BYTES    256
#define ERROR_FIELD_BYTES   96

struct error {
	enum error_code code;
	int errnum;	  /* errno behind it, or 0 */
	char sqlstate[6]; /* SQLSTATE behind it, or "" */
	char field[ERROR_FIELD_BYTES];
	char msg[ERROR_MESSAGE_BYTES];
	char hint[ERROR_HINT_BYTES];
};

/* Fills *err (field and hint are emptied) and returns -1, so that callers `return error_set(...)`.
 * Control characters in the text become '?'. */
PRINTF_FORMAT(3, 4) int error_set(struct error *err, enum error_code code, const char *format, ...);
/* As error_set, appending ": <strerror(errnum)>"; ENOSPC and EDQUOT become ERR_NO_SPACE. */
PRINTF_FORMAT(4, 5)
int error_set_errno(struct error *err, enum error_code code, int errnum, const char *format, ...);
/* Puts "text: " in front of the message. Returns -1. */
PRINTF_FORMAT(2, 3) int error_wrap(struct error *err, const char *format, ...);
/* Says what to do about it. Returns -1. */
PRINTF_FORMAT(2, 3) int error_hint(struct error *err, const char *format, ...);
/* Names the field of the request at fault. Returns -1. */
PRINTF_FORMAT(2, 3) int error_field(struct error *err, const char *format, ...);
void error_clear(struct error *err);

/* The analyser sees one file at a time, and would go on after calls of these as if they had
 * returned 0. */
#if defined(__clang_analyzer__) && !defined(ERROR_DEFINED_HERE)
static inline int error_minus_one(int returned)
{
	(void)returned;
	return -1;
}
#define error_set(...)	     error_minus_one(error_set(__VA_ARGS__))
#define error_set_errno(...) error_minus_one(error_set_errno(__VA_ARGS__))
#define error_wrap(...)	     error_minus_one(error_wrap(__VA_ARGS__))
#define error_hint(...)	     error_minus_one(error_hint(__VA_ARGS__))
#define error_field(...)     error_minus_one(error_field(__VA_ARGS__))
#endif

const char *error_code_name(enum error_code code); /* "not_found" */
int error_http_status(enum error_code code);
int error_exit_code(enum error_code code);
bool error_is_retryable(enum error_code code);
/* The code for an HTTP status received from elsewhere (INTERNAL for unknown 5xx, INVALID else). */
enum error_code error_code_from_http(long status);
