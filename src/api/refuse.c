#include "api/refuse.h"

#include <stdarg.h>

int refuse_field(struct error *err, const char *field, const char *format, ...)
{
	char text[ERROR_MESSAGE_BYTES];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	error_set(err, ERR_INVALID, "%s %s", field, text);
	return error_field(err, "%s", field);
}

int refuse_value(struct error *err, const char *field)
{
	error_wrap(err, "%s", field);
	return error_field(err, "%s", field);
}
