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

static const char *const login_keys[] = {"user", "password", "passfile", NULL};
static const char *const tls_keys[] = {"sslmode", "sslrootcert", "gssencmode", "channel_binding",
				       NULL};

static bool is_among(const char *key, const char *const *keys)
{
	while (*keys != NULL && !str_eq(*keys, key))
		keys++;
	return *keys != NULL;
}

/* Appends all of `conninfo` but the keys that are about to be appended anew. */
static int append_without(const char *conninfo, const char *const *keys, struct buf *out,
			  struct error *err)
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
		if (option->val != NULL && !is_among(option->keyword, keys))
			conninfo_append(out, option->keyword, option->val);
	}
	PQconninfoFree(options);
	return 0;
}

static int check_length(const struct buf *out, struct error *err)
{
	if (!out->overflowed)
		return 0;
	return error_set(err, ERR_TOO_LARGE,
			 "the database connection string is longer than %zu bytes", out->bytes_max);
}

int conninfo_with_login(const char *conninfo, const char *user, const char *password,
			struct buf *out, struct error *err)
{
	if (append_without(conninfo, login_keys, out, err) < 0)
		return -1;
	conninfo_append(out, "user", user);
	conninfo_append(out, "password", password);
	return check_length(out, err);
}

int conninfo_under_ca(const char *conninfo, const char *ca_file, struct buf *out, struct error *err)
{
	if (append_without(conninfo, tls_keys, out, err) < 0)
		return -1;
	conninfo_append(out, "sslmode", "verify-full");
	conninfo_append(out, "sslrootcert", ca_file);
	/* Else a Kerberos ticket would do in place of the certificate. */
	conninfo_append(out, "gssencmode", "disable");
	/* SCRAM alone, and bound to this very session: who ends the TLS in between, with whatever
	 * certificate, cannot pass the login on. */
	conninfo_append(out, "channel_binding", "require");
	return check_length(out, err);
}

char *conninfo_value(const char *conninfo, const char *key)
{
	PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
	char *value = NULL;

	for (const PQconninfoOption *option = options; option != NULL && option->keyword != NULL;
	     option++) {
		if (option->val != NULL && str_eq(option->keyword, key))
			value = xstrdup(option->val);
	}
	PQconninfoFree(options);
	return value;
}
