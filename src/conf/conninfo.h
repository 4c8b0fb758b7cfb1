/* PostgreSQL connection strings in libpq's "key='value'" form, with the quoting that paths with
 * spaces and quotes need. */
#pragma once

#include "base/buf.h"
#include "base/error.h"

#define CONNINFO_BYTES_MAX 8192

/* Appends " key='value'" with backslashes and quotes escaped. */
void conninfo_append(struct buf *out, const char *key, const char *value);

/* Appends `conninfo` (either of libpq's forms) with another login in place of its own: user,
 * password and passfile are replaced. ERR_INVALID when libpq cannot read it. */
MUST_CHECK int conninfo_with_login(const char *conninfo, const char *user, const char *password,
				   struct buf *out, struct error *err);
/* As above, with the server's certificate demanded and checked against this CA and the name
 * connected to, and SCRAM bound to that session, whatever `conninfo` said of that. */
MUST_CHECK int conninfo_under_ca(const char *conninfo, const char *ca_file, struct buf *out,
				 struct error *err);
/* The value of one key; NULL when it is not there, or nothing can be read. To be freed. */
char *conninfo_value(const char *conninfo, const char *key);
