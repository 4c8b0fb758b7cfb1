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

/* What the test was given, to be released at its end. */
struct gift {
	struct gift *next;
	PGconn *conn;
	char *text;
};
static struct gift *gifts;

static void release_gifts(void)
{
	while (gifts != NULL) {
		struct gift *gift = gifts;
		gifts = gift->next;
		PQfinish(gift->conn);
		free(gift->text);
		free(gift);
	}
}

static void give(PGconn *conn, char *text)
{
	struct gift *gift = xcalloc(1, sizeof(*gift));

	if (gifts == NULL)
		(void)atexit(release_gifts);
	*gift = (struct gift){.next = gifts, .conn = conn, .text = text};
	gifts = gift;
}

static const char *give_text(char *text)
{
	give(NULL, text);
	return text;
}

PGconn *test_connect(const char *conninfo)
{
	PGconn *conn = PQconnectdb(conninfo);

	give(conn, NULL);
	if (PQstatus(conn) != CONNECTION_OK)
		tap_fail(__FILE__, __LINE__, "%s", PQerrorMessage(conn));
	return conn;
}

__attribute__((format(printf, 2, 0))) static PGresult *ask(PGconn *conn, const char *format,
							   va_list args)
{
	char *sql = NULL;

	if (vasprintf(&sql, format, args) < 0)
		abort();
	PGresult *result = PQexec(conn, sql);
	free(sql);
	return result;
}

__attribute__((format(printf, 2, 0))) static PGresult *ask_well(PGconn *conn, const char *format,
								va_list args)
{
	PGresult *result = ask(conn, format, args);

	if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK)
		tap_fail(__FILE__, __LINE__, "%s: %s", format, PQresultErrorMessage(result));
	return result;
}

void test_do(PGconn *conn, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	PQclear(ask_well(conn, format, args));
	va_end(args);
}

const char *test_ask(PGconn *conn, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	PGresult *result = ask_well(conn, format, args);
	va_end(args);
	char *answer = xstrdup(PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
	PQclear(result);
	return give_text(answer);
}

int64_t test_ask_i64(PGconn *conn, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	PGresult *result = ask_well(conn, format, args);
	va_end(args);
	if (PQntuples(result) < 1)
		tap_fail(__FILE__, __LINE__, "%s: no row", format);
	int64_t answer = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
	PQclear(result);
	return answer;
}

const char *test_ask_error(PGconn *conn, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	PGresult *result = ask(conn, format, args);
	va_end(args);
	if (PQresultStatus(result) != PGRES_FATAL_ERROR)
		tap_fail(__FILE__, __LINE__, "%s succeeded", format);
	char *sqlstate = xstrdup(PQresultErrorField(result, PG_DIAG_SQLSTATE));
	PQclear(result);
	return give_text(sqlstate);
}

/* `text` with its word "key=…" replaced. */
static const char *with_word(const char *text, const char *key, const char *value)
{
	const char *start = strstr(text, key);

	if (start == NULL)
		tap_fail(__FILE__, __LINE__, "no %s in \"%s\"", key, text);
	const char *end = start + strcspn(start, " ");
	return give_text(xasprintf("%.*s%s%s%s", (int)(start - text), text, key, value, end));
}

const char *test_conninfo_as(const char *conninfo, const char *user)
{
	return with_word(conninfo, "user=", user);
}

const char *test_database_empty(void)
{
	const char *server = getenv("RGRID_TEST_CONNINFO");
	char name[32];

	EXPECT(server != NULL);
	(void)snprintf(name, sizeof(name), "test_%d", (int)getpid());
	test_do(test_connect(server), "CREATE DATABASE %s", name);
	return with_word(server, "dbname=", name);
}

const char *test_database(void)
{
	struct error err;
	const char *conninfo = test_database_empty();

	EXPECT_OK(migrate_run(conninfo, &err), err);
	return conninfo;
}
