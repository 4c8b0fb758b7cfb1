#include "database.h"

#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "store/migrate.h"
#include "tap.h"

/* Before main, so that no test has run yet. glibc hands constructors the arguments of main. */
__attribute__((constructor)) static void ensure_postgres(int argc, char **argv)
{
	if (getenv("RGRID_TEST_CONNINFO") != NULL)
		return;
	char **command = xcalloc((size_t)argc + 3, sizeof(*command));
	command[0] = xstrdup("bash");
	command[1] = xstrdup(WITH_POSTGRES);
	for (int i = 0; i < argc; i++)
		command[i + 2] = argv[i];
	command[2] = realpath("/proc/self/exe", NULL);
	execvp("bash", command);
	perror("bash");
	_exit(1);
}

PGconn *test_connect(const char *conninfo)
{
	PGconn *conn = PQconnectdb(conninfo);

	if (PQstatus(conn) != CONNECTION_OK)
		tap_fail(__FILE__, __LINE__, "%s", PQerrorMessage(conn));
	return conn;
}

static PGresult *ask(PGconn *conn, const char *format, va_list args)
{
	char *sql = NULL;

	if (vasprintf(&sql, format, args) < 0)
		abort();
	PGresult *result = PQexec(conn, sql);
	free(sql);
	return result;
}

char *test_ask(PGconn *conn, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	PGresult *result = ask(conn, format, args);
	va_end(args);
	if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK)
		tap_fail(__FILE__, __LINE__, "%s: %s", format, PQresultErrorMessage(result));
	char *answer = xstrdup(PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
	PQclear(result);
	return answer;
}

int64_t test_ask_i64(PGconn *conn, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	PGresult *result = ask(conn, format, args);
	va_end(args);
	if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) < 1)
		tap_fail(__FILE__, __LINE__, "%s: %s", format, PQresultErrorMessage(result));
	int64_t answer = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
	PQclear(result);
	return answer;
}

char *test_ask_error(PGconn *conn, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	PGresult *result = ask(conn, format, args);
	va_end(args);
	if (PQresultStatus(result) != PGRES_FATAL_ERROR)
		tap_fail(__FILE__, __LINE__, "%s succeeded", format);
	char *sqlstate = xstrdup(PQresultErrorField(result, PG_DIAG_SQLSTATE));
	PQclear(result);
	return sqlstate;
}

/* `text` with its word "key=…" replaced. */
static char *with_word(const char *text, const char *key, const char *value)
{
	const char *start = strstr(text, key);

	if (start == NULL)
		tap_fail(__FILE__, __LINE__, "no %s in \"%s\"", key, text);
	const char *end = start + strcspn(start, " ");
	return xasprintf("%.*s%s%s%s", (int)(start - text), text, key, value, end);
}

char *test_conninfo_as(const char *conninfo, const char *user)
{
	return with_word(conninfo, "user=", user);
}

const char *test_database_empty(void)
{
	const char *server = getenv("RGRID_TEST_CONNINFO");
	PGconn *conn = test_connect(server);
	CLEANUP(cleanup_free) char *name = xasprintf("test_%d", (int)getpid());

	free(test_ask(conn, "CREATE DATABASE %s", name));
	PQfinish(conn);
	return with_word(server, "dbname=", name);
}

const char *test_database(void)
{
	struct error err;
	const char *conninfo = test_database_empty();

	EXPECT_OK(migrate_run(conninfo, &err), err);
	return conninfo;
}
