#include "conf/conninfo.h"

#include <libpq-fe.h>

#include "base/str.h"

void conninfo_append(struct buf *out, const char *key, const char *value)
{
	if (out->bytes > 0)
		buf_append_char(out, ' ');
	buf_append_str(out, key);
	buf_append_str(out, "='");
	for (const char *c = value; *c != '\0'; c++) {
		if (*c == '\'' || *c == '\\')
			buf_append_char(out, '\\');
		buf_append_char(out, *c);
	}
	buf_append_char(out, '\'');
}

static bool is_login_key(const char *key)
{
	return str_eq(key, "user") || str_eq(key, "password") || str_eq(key, "passfile");
}

int conninfo_with_login(const char *conninfo, const char *user, const char *password,
			struct buf *out, struct error *err)
{
	char *reason = NULL;
	PQconninfoOption *options = PQconninfoParse(conninfo, &reason);
	if (options == NULL) {
		(void)error_set(err, ERR_INVALID, "cannot read the database connection string: %s",
				reason != NULL ? reason : "out of memory");
		PQfreemem(reason);
		return -1;
	}
	for (const PQconninfoOption *option = options; option->keyword != NULL; option++) {
		if (option->val != NULL && !is_login_key(option->keyword))
			conninfo_append(out, option->keyword, option->val);
	}
	PQconninfoFree(options);
	conninfo_append(out, "user", user);
	conninfo_append(out, "password", password);
	if (out->overflowed)
		return error_set(err, ERR_TOO_LARGE,
				 "the database connection string is longer than %zu bytes",
				 out->bytes_max);
	return 0;
}
