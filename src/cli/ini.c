#include "cli/ini.h"

#include <ctype.h>

static char *trim(char *text)
{
	size_t bytes;

	while (isspace((unsigned char)*text))
		text++;
	bytes = strlen(text);
	while (bytes > 0 && isspace((unsigned char)text[bytes - 1]))
		text[--bytes] = '\0';
	return text;
}

static char *unquote(char *text)
{
	size_t bytes = strlen(text);

	if (bytes >= 2 && text[0] == '"' && text[bytes - 1] == '"') {
		text[bytes - 1] = '\0';
		return text + 1;
	}
	return text;
}

int ini_parse(char *text, const char *name,
	      int (*take)(void *context, const char *key, const char *value, unsigned line,
			  struct error *err),
	      void *context, struct error *err)
{
	unsigned line = 0;

	while (text && *text) {
		char *next = strchr(text, '\n');
		char *pair, *equals;

		line++;
		if (next)
			*next++ = '\0';
		pair = trim(text);
		text = next;
		if (*pair == '\0' || *pair == '#' || *pair == ';' || *pair == '[')
			continue;
		equals = strchr(pair, '=');
		if (!equals || equals == pair)
			return error_set(err, ERR_INVALID, "%s:%u: expected \"key = value\"", name,
					 line);
		*equals = '\0';
		if (take(context, trim(pair), unquote(trim(equals + 1)), line, err) != 0)
			return -1;
	}
	return 0;
}
