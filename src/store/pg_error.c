#include "store/pg_error.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static enum error_code code_of(const char *sqlstate)
{
	static const struct {
		const char *prefix;
		enum error_code code;
	} table[] = {
		{"23505", ERR_CONFLICT},    /* unique_violation */
		{"40001", ERR_CONFLICT},    /* serialization_failure */
		{"40P01", ERR_CONFLICT},    /* deadlock_detected */
		{"53100", ERR_NO_SPACE},    /* disk_full */
		{"53300", ERR_UNAVAILABLE}, /* too_many_connections */
		{"25006", ERR_UNAVAILABLE}, /* read_only_sql_transaction: a demoted server */
		{"08", ERR_UNAVAILABLE},    /* connection exceptions */
		{"57P0", ERR_UNAVAILABLE},  /* shutting down, starting up */
	};

	if (str_has_prefix(sqlstate, "RG"))
		return error_code_from_http(strtol(sqlstate + 2, NULL, 10));
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (str_has_prefix(sqlstate, table[i].prefix))
			return table[i].code;
	}
	return ERR_INTERNAL;
}

/* libpq ends its messages with a line feed, and may put several lines into one. */
static int first_line_bytes(const char *text)
{
	return (int)strcspn(text, "\n");
}

/* Where a message of a verbose connection has a SQLSTATE of class 28, invalid authorization
 * specification; NULL: nowhere. */
static const char *refusal_of(const char *text)
{
	static const char fatal[] = "FATAL:";
	const char *at = strstr(text, fatal);

	if (at == NULL)
		return NULL;
	at += strlen(fatal);
	at += strspn(at, " ");
	return str_has_prefix(at, "28") && at[strcspn(at, ":")] == ':' ? at : NULL;
}

int pg_error_from_connection(const PGconn *conn, struct error *err)
{
	const char *text = PQerrorMessage(conn);
	const char *refusal = refusal_of(text);

	if (refusal != NULL) {
		error_set(err, ERR_UNAUTHENTICATED, "the database refuses the login: %.*s",
			  first_line_bytes(text), text);
		(void)snprintf(err->sqlstate, sizeof(err->sqlstate), "%.5s", refusal);
		return error_hint(err, "was it used or has it expired, and does pg_hba.conf let it "
				       "in from here?");
	}
	error_set(err, ERR_UNAVAILABLE, "the database is not reachable: %.*s",
		  first_line_bytes(text), text);
	(void)snprintf(err->sqlstate, sizeof(err->sqlstate), "08006");
	return error_hint(err, "is PostgreSQL running, and does the connection string name it?");
}

int pg_error_from_result(const PGresult *result, struct error *err)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);

	if (text == NULL)
		text = PQresultErrorMessage(result);
	/* libpq makes such a result itself when the connection breaks. */
	if (sqlstate == NULL)
		sqlstate = "08006";
	enum error_code code = code_of(sqlstate);
	error_set(err, code, "%s%.*s",
		  str_has_prefix(sqlstate, "RG") ? "" : "database: ", first_line_bytes(text), text);
	(void)snprintf(err->sqlstate, sizeof(err->sqlstate), "%s", sqlstate);
	if (hint != NULL)
		error_hint(err, "%s", hint);
	return -1;
}
