#include "store/pg.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/str.h"
#include "store/pg_error.h"
#include "store/queries.h"

#define STATEMENTS_MAX	    512 /* named statements of the whole program */
#define CHANNELS_MAX	    4
#define UNREAD_MESSAGES_MAX 16 /* reads before a call that make sure that the server is there */

/* Invariants: `conn` is NULL while down. `prepared` holds the statements known to the session
 * behind `conn`. `channels` outlive sessions: each new one LISTENs to them again. */
struct pg {
	char *conninfo;
	PGconn *conn;
	size_t prepared_count;
	const struct pg_statement *prepared[STATEMENTS_MAX];
	size_t channel_count;
	char *channels[CHANNELS_MAX];
	bool may_have_missed; /* notifications, while down */
	bool in_transaction;  /* begun by pg_begin, not yet ended by the caller */
};

static void discard_notice(void *context, const char *message)
{
	(void)context;
	(void)message;
}

static void drop_connection(struct pg *pg)
{
	PQfinish(pg->conn);
	pg->conn = NULL;
	pg->prepared_count = 0;
}

struct pg *pg_new(const char *conninfo)
{
	struct pg *pg = xcalloc(1, sizeof(*pg));

	pg->conninfo = xstrdup(conninfo);
	return pg;
}

void pg_free(struct pg *pg)
{
	if (pg == NULL)
		return;
	drop_connection(pg);
	for (size_t i = 0; i < pg->channel_count; i++)
		free(pg->channels[i]);
	free(pg->conninfo);
	free(pg);
}

void cleanup_pg(struct pg **pg)
{
	pg_free(*pg);
}

void cleanup_pgresult(PGresult **result)
{
	PQclear(*result);
}

/* Takes over `result`, and gives it back if it is a success. The connection is dropped where it can
 * no longer be used. */
static int accept_result(struct pg *pg, PGresult *result, PGresult **ret, struct error *err)
{
	ExecStatusType status = PQresultStatus(result);

	if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
		*ret = result;
		return 0;
	}
	/* Out of memory in libpq gives no result at all. */
	if (result == NULL)
		pg_error_from_connection(pg->conn, err);
	else
		pg_error_from_result(result, err);
	PQclear(result);

	if (PQstatus(pg->conn) != CONNECTION_OK && err->code != ERR_UNAVAILABLE)
		pg_error_from_connection(pg->conn, err);
	/* 0A000 and 26000: a statement prepared before a migration, or on another server. */
	if (PQstatus(pg->conn) != CONNECTION_OK || err->code == ERR_UNAVAILABLE ||
	    str_eq(err->sqlstate, "0A000") || str_eq(err->sqlstate, "26000"))
		drop_connection(pg);
	return -1;
}

static int listen_on(struct pg *pg, const char *channel, struct error *err)
{
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	char *quoted = PQescapeIdentifier(pg->conn, channel, strlen(channel));
	CHECK(quoted != NULL);
	CLEANUP(cleanup_free) char *command = xasprintf("LISTEN %s", quoted);

	PQfreemem(quoted);
	return accept_result(pg, PQexec(pg->conn, command), &result, err);
}

static int open_connection(struct pg *pg, struct error *err)
{
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;

	pg->conn = PQconnectdb(pg->conninfo);
	if (PQstatus(pg->conn) != CONNECTION_OK) {
		pg_error_from_connection(pg->conn, err);
		drop_connection(pg);
		return -1;
	}
	PQsetNoticeProcessor(pg->conn, discard_notice, NULL);
	if (accept_result(pg, PQexec(pg->conn, query_session_begin.sql), &result, err) < 0) {
		drop_connection(pg);
		return -1;
	}
	for (size_t i = 0; i < pg->channel_count; i++) {
		if (listen_on(pg, pg->channels[i], err) < 0) {
			drop_connection(pg);
			return -1;
		}
	}
	pg->may_have_missed = pg->channel_count > 0;
	return 0;
}

int pg_open(const char *conninfo, struct pg **ret, struct error *err)
{
	CLEANUP(cleanup_pg) struct pg *pg = pg_new(conninfo);

	if (open_connection(pg, err) < 0)
		return -1;
	*ret = TAKE_PTR(pg);
	return 0;
}

/* Whether the server has hung up on an idle connection: then end of file follows after what it had
 * to say, which may be notifications and a reason. */
static bool is_hung_up(PGconn *conn)
{
	struct pollfd pollfd = {.fd = PQsocket(conn), .events = POLLIN};

	for (int i = 0; i < UNREAD_MESSAGES_MAX && poll(&pollfd, 1, 0) > 0; i++) {
		if (PQconsumeInput(conn) == 0)
			return true;
	}
	return false;
}

static int ensure_open(struct pg *pg, struct error *err)
{
	/* The rest of a transaction must not run by itself on a new connection. */
	if (pg->in_transaction)
		return pg->conn != NULL ? 0
					: error_set(err, ERR_UNAVAILABLE,
						    "the connection to the database was lost "
						    "within a transaction");
	if (pg->conn != NULL && is_hung_up(pg->conn))
		drop_connection(pg);
	return pg->conn != NULL ? 0 : open_connection(pg, err);
}

static int ensure_prepared(struct pg *pg, const struct pg_statement *statement, struct error *err)
{
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;

	for (size_t i = 0; i < pg->prepared_count; i++) {
		if (pg->prepared[i] == statement)
			return 0;
	}
	CHECK(pg->prepared_count < STATEMENTS_MAX);
	if (accept_result(pg, PQprepare(pg->conn, statement->name, statement->sql, 0, NULL),
			  &result, err) < 0)
		return -1;
	pg->prepared[pg->prepared_count++] = statement;
	return 0;
}

int pg_run(struct pg *pg, const struct pg_statement *statement, const struct pg_params *params,
	   PGresult **ret, struct error *err)
{
	int count = params != NULL ? params->count : 0;

	CHECK(count == statement->param_count);
	if (ensure_open(pg, err) < 0 || ensure_prepared(pg, statement, err) < 0)
		return -1;
	return accept_result(pg,
			     PQexecPrepared(pg->conn, statement->name, count,
					    params != NULL ? params->values : NULL, NULL, NULL, 0),
			     ret, err);
}

int pg_do(struct pg *pg, const struct pg_statement *statement, const struct pg_params *params,
	  int64_t *ret_rows, struct error *err)
{
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;

	if (pg_run(pg, statement, params, &result, err) < 0)
		return -1;
	if (ret_rows != NULL)
		*ret_rows = strtoll(PQcmdTuples(result), NULL, 10); /* "" is 0 */
	return 0;
}

int pg_run_script(struct pg *pg, const char *sql, struct error *err)
{
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;

	if (ensure_open(pg, err) < 0)
		return -1;
	return accept_result(pg, PQexec(pg->conn, sql), &result, err);
}

static int begin(struct pg *pg, const struct pg_statement *statement, struct error *err)
{
	CHECK(!pg->in_transaction);
	if (pg_do(pg, statement, NULL, NULL, err) < 0)
		return -1;
	pg->in_transaction = true;
	return 0;
}

int pg_begin(struct pg *pg, struct error *err)
{
	return begin(pg, &query_transaction_begin, err);
}

int pg_begin_snapshot(struct pg *pg, struct error *err)
{
	return begin(pg, &query_transaction_begin_snapshot, err);
}

int pg_commit(struct pg *pg, struct error *err)
{
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;

	CHECK(pg->in_transaction);
	if (pg_run(pg, &query_transaction_commit, NULL, &result, err) < 0)
		return -1;
	pg->in_transaction = false;
	/* The server answers ROLLBACK to the commit of a transaction that has failed. */
	if (!str_eq(PQcmdStatus(result), "COMMIT"))
		return error_set(err, ERR_INTERNAL, "a failed transaction was rolled back");
	return 0;
}

void pg_rollback(struct pg *pg)
{
	struct error err;

	/* Not through a prepared statement: a failed transaction would refuse to prepare it. */
	if (pg->conn != NULL && PQtransactionStatus(pg->conn) != PQTRANS_IDLE &&
	    pg_run_script(pg, query_transaction_rollback.sql, &err) < 0)
		drop_connection(pg);
	pg->in_transaction = false;
}

int64_t pg_get_i64(const PGresult *result, int row, int column)
{
	char *end;

	if (PQgetisnull(result, row, column))
		return 0;
	const char *text = PQgetvalue(result, row, column);
	errno = 0;
	long long number = strtoll(text, &end, 10);
	CHECK(errno == 0);
	CHECK(end != text);
	CHECK(*end == '\0');
	return number;
}

bool pg_get_bool(const PGresult *result, int row, int column)
{
	return PQgetvalue(result, row, column)[0] == 't';
}

const char *pg_get_text(const PGresult *result, int row, int column)
{
	return PQgetvalue(result, row, column); /* "" for NULL */
}

const char *pg_get_text_or_null(const PGresult *result, int row, int column)
{
	return PQgetisnull(result, row, column) ? NULL : PQgetvalue(result, row, column);
}

void pg_get_bytes(const PGresult *result, int row, int column, struct buf *out)
{
	size_t bytes;

	if (PQgetisnull(result, row, column))
		return;
	unsigned char *data =
		PQunescapeBytea((const unsigned char *)PQgetvalue(result, row, column), &bytes);
	CHECK(data != NULL);
	buf_append(out, data, bytes);
	PQfreemem(data);
}

int pg_listen(struct pg *pg, const char *channel, struct error *err)
{
	if (ensure_open(pg, err) < 0)
		return -1;
	if (listen_on(pg, channel, err) < 0)
		return -1;
	for (size_t i = 0; i < pg->channel_count; i++) {
		if (str_eq(pg->channels[i], channel))
			return 0;
	}
	CHECK(pg->channel_count < CHANNELS_MAX);
	pg->channels[pg->channel_count++] = xstrdup(channel);
	return 0;
}

static bool take_notifications(PGconn *conn)
{
	PGnotify *notification;
	bool any = false;

	while ((notification = PQnotifies(conn)) != NULL) {
		PQfreemem(notification);
		any = true;
	}
	return any;
}

int pg_wait(struct pg *pg, uint64_t timeout_ms, bool *ret_woken, struct error *err)
{
	uint64_t deadline_ms = clock_boottime_ms() + timeout_ms;

	if (ensure_open(pg, err) < 0)
		return -1;
	for (;;) {
		bool woken = take_notifications(pg->conn) || pg->may_have_missed;
		uint64_t now_ms = clock_boottime_ms();

		if (woken || (now_ms >= deadline_ms && timeout_ms > 0)) {
			pg->may_have_missed = false;
			*ret_woken = woken;
			return 0;
		}
		uint64_t left_ms = now_ms < deadline_ms ? deadline_ms - now_ms : 0;
		struct pollfd pollfd = {.fd = PQsocket(pg->conn), .events = POLLIN};
		int ready = poll(&pollfd, 1, left_ms > INT_MAX ? INT_MAX : (int)left_ms);

		if (ready < 0 && errno != EINTR)
			return error_set_errno(err, ERR_INTERNAL, errno,
					       "cannot wait for the database");
		if (ready > 0 && PQconsumeInput(pg->conn) == 0) {
			pg_error_from_connection(pg->conn, err);
			drop_connection(pg);
			return -1;
		}
		if (ready == 0 && timeout_ms == 0) {
			*ret_woken = false;
			return 0;
		}
	}
}

int pg_socket(const struct pg *pg)
{
	return pg->conn != NULL ? PQsocket(pg->conn) : -1;
}
