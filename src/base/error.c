#include "base/error.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"

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

/* Terminals obey control characters, so text from elsewhere must not carry them. */
static void scrub(char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c == 0x7f)
			*text = '?';
	}
}

/* Cuts a UTF-8 sequence that truncation left unfinished at the end. */
static void trim_partial_utf8(char *text)
{
	size_t end = strlen(text);
	size_t start = end;

	while (start > 0 && end - start < 3 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
		start--;
	if (start == 0)
		return;
	unsigned char lead = (unsigned char)text[start - 1];
	size_t wanted = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;

	if (wanted > end - start + 1)
		text[start - 1] = '\0';
}

__attribute__((format(printf, 3, 0))) static void set_text(char *out, size_t size,
							   const char *format, va_list arguments)
{
	/* Arguments may point into the text being replaced. */
	char text[ERROR_MESSAGE_BYTES];
	int wanted = vsnprintf(text, size < sizeof(text) ? size : sizeof(text), format, arguments);

	CHECK(wanted >= 0);
	if ((size_t)wanted >= size)
		trim_partial_utf8(text);
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
	va_list arguments;

	va_start(arguments, format);
	set_text(err->msg, sizeof(err->msg), format, arguments);
	va_end(arguments);
	set_code(err, code, 0);
	return -1;
}

int error_set_errno(struct error *err, enum error_code code, int errnum, const char *format, ...)
{
	char what[ERROR_MESSAGE_BYTES];
	const char *why = strerrordesc_np(errnum);
	va_list arguments;

	va_start(arguments, format);
	set_text(what, sizeof(what), format, arguments);
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
	set_text(context, sizeof(context), format, arguments);
	va_end(arguments);
	(void)snprintf(whole, sizeof(whole), "%s: %s", context, err->msg);
	whole[sizeof(err->msg) - 1] = '\0';
	trim_partial_utf8(whole);
	memcpy(err->msg, whole, strlen(whole) + 1);
	return -1;
}

int error_hint(struct error *err, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	set_text(err->hint, sizeof(err->hint), format, arguments);
	va_end(arguments);
	return -1;
}

int error_field(struct error *err, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	set_text(err->field, sizeof(err->field), format, arguments);
	va_end(arguments);
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
