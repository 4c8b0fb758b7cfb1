#include "store/worker_enrol.h"

#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/str.h"
#include "store/pg.h"
#include "store/pg_error.h"
#include "store/queries.h"

#define CONNECT_MS 15000

/* Waits for what libpq wants to know of its socket, and goes on, until it has an outcome. */
static int finish_connecting(PGconn *conn, struct error *err)
{
	uint64_t deadline_ms = clock_boottime_ms() + CONNECT_MS;
	PostgresPollingStatusType wanted = PGRES_POLLING_WRITING;

	while (wanted != PGRES_POLLING_OK && wanted != PGRES_POLLING_FAILED) {
		struct pollfd socket = {
			.fd = PQsocket(conn),
			.events = wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT,
		};
		uint64_t now_ms = clock_boottime_ms();

		if (now_ms >= deadline_ms || poll(&socket, 1, (int)(deadline_ms - now_ms)) == 0)
			return error_set(err, ERR_UNAVAILABLE, "the database does not answer");
		wanted = PQconnectPoll(conn);
	}
	return 0;
}

/* Told apart by SQLSTATE where the server answered. Where libpq itself refused to go on, there is
 * nothing but its text, which is not translated as long as nobody calls setlocale(). */
static int refusal(const PGconn *conn, struct error *err)
{
	const char *text = PQerrorMessage(conn);
	int line = (int)strcspn(text, "\n");

	if (strstr(text, "FATAL:") == NULL &&
	    (strstr(text, "certificate") != NULL || strstr(text, "does not support SSL") != NULL ||
	     strstr(text, "does not match host name") != NULL ||
	     strstr(text, "channel binding") != NULL)) {
		error_set(err, ERR_INVALID, "the database is not who it should be: %.*s", line,
			  text);
		return error_hint(err, "is the CA the grid's, and does the certificate name the "
				       "address that is connected to?");
	}
	return pg_error_from_connection(conn, err);
}

static int probe(PGconn *conn, struct error *err)
{
	/* Makes the server's SQLSTATE stand in the message. */
	(void)PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
	if (PQstatus(conn) != CONNECTION_BAD && finish_connecting(conn, err) < 0)
		return -1;
	return PQstatus(conn) == CONNECTION_OK ? 0 : refusal(conn, err);
}

int worker_enrol_probe(const char *conninfo, struct error *err)
{
	char *problem = NULL;
	PQconninfoOption *options = PQconninfoParse(conninfo, &problem);

	if (options == NULL) {
		PQfreemem(problem);
		return error_set(err, ERR_INVALID, "the connection string cannot be read");
	}
	PQconninfoFree(options);

	PGconn *conn = PQconnectStart(conninfo);
	CHECK(conn != NULL);
	int result = probe(conn, err);
	PQfinish(conn);
	return result;
}

int worker_enrol_do(const char *conninfo, const char *verifier, struct error *err)
{
	CLEANUP(cleanup_pg) struct pg *pg = NULL;
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;

	pg_param_text(&params, verifier);
	if (pg_open(conninfo, &pg, err) < 0 ||
	    pg_run(pg, &query_worker_enrol, &params, &result, err) < 0)
		return -1;
	if (!pg_get_bool(result, 0, 0)) {
		error_set(err, ERR_FORBIDDEN,
			  "this worker has enrolled before, or its time to do so is over");
		return error_hint(err, "if this machine is new, its user data was used elsewhere: "
				       "see the events of this worker");
	}
	return 0;
}
