#define ERROR_DEFINED_HERE
#include "base/error.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/str.h"

static const struct {
	const char *name;
	int http_status;
	int exit_code;
	bool retryable;
} code_table[ERR_MAX] = {
	[ERR_NONE] = {"none", 200, 0, false},
#define X(name_, text_, http_, exit_, retryable_) [ERR_##name_] = {text_, http_, exit_, retryable_},
#include "base/errors.def"
#undef X
};

/* Terminals obey control characters, and JSON takes UTF-8 only: text from elsewhere, or cut in the
 * middle of a character, must bring neither. */
static void scrub(char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		size_t bytes = str_printable_bytes(text, left);

		if (bytes == 0) {
			*text = '?';
			bytes = 1;
		}
		text += bytes;
		left -= bytes;
	}
}

/* The text comes from a buffer of the caller's: what it was formatted from may lie in `out`. */
static void store(char *out, size_t size, char *text)
{
	if (strlen(text) >= size)
		text[size - 1] = '\0';
	scrub(text);
	memcpy(out, text, strlen(text) + 1);
}

static void set_code(struct error *err, enum error_code code, int errnum)
{
	CHECK(code > ERR_NONE);
	CHECK(code < ERR_MAX);
	err->code = code;
	err->errnum = errnum;
	err->sqlstate[0] = '\0';
	err->field[0] = '\0';
	err->hint[0] = '\0';
}

int error_set(struct error *err, enum error_code code, const char *format, ...)
{
	char text[ERROR_MESSAGE_BYTES];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	store(err->msg, sizeof(err->msg), text);
	set_code(err, code, 0);
	return -1;
}

int error_set_errno(struct error *err, enum error_code code, int errnum, const char *format, ...)
{
	char what[ERROR_MESSAGE_BYTES];
	const char *why = strerrordesc_np(errnum);
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	if (errnum == ENOSPC || errnum == EDQUOT)
		code = ERR_NO_SPACE;
	if (why != NULL)
		(void)error_set(err, code, "%s: %s", what, why);
	else
		(void)error_set(err, code, "%s: error number %d", what, errnum);
	err->errnum = errnum;
	return -1;
}

int error_wrap(struct error *err, const char *format, ...)
{
	char context[ERROR_MESSAGE_BYTES];
	char whole[2 * ERROR_MESSAGE_BYTES + 2];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(context, sizeof(context), format, arguments);
	va_end(arguments);
	(void)snprintf(whole, sizeof(whole), "%s: %s", context, err->msg);
	store(err->msg, sizeof(err->msg), whole);
	return -1;
}

int error_hint(struct error *err, const char *format, ...)
{
	char text[ERROR_MESSAGE_BYTES];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	store(err->hint, sizeof(err->hint), text);
	return -1;
}

int error_field(struct error *err, const char *format, ...)
{
	char text[ERROR_MESSAGE_BYTES];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	store(err->field, sizeof(err->field), text);
	return -1;
}

void error_clear(struct error *err)
{
	memset(err, 0, sizeof(*err));
}

static enum error_code checked(enum error_code code)
{
	CHECK(code < ERR_MAX);
	return code;
}

const char *error_code_name(enum error_code code)
{
	return code_table[checked(code)].name;
}

int error_http_status(enum error_code code)
{
	return code_table[checked(code)].http_status;
}

int error_exit_code(enum error_code code)
{
	return code_table[checked(code)].exit_code;
}

bool error_is_retryable(enum error_code code)
{
	return code_table[checked(code)].retryable;
}

enum error_code error_code_from_http(long status)
{
	for (int code = ERR_NONE + 1; code < ERR_MAX; code++) {
		if (code_table[code].http_status == status)
			return (enum error_code)code;
	}
	return status >= 500 ? ERR_INTERNAL : ERR_INVALID;
}
