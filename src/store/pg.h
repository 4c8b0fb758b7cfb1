/* One PostgreSQL connection of a program that may wait for its answer (API threads, orchestrator,
 * migration). Statements come from sql/queries by name, are prepared on first use, take parameters
 * only, and answer in text format. A lost connection is reopened at the next call outside of a
 * transaction; a call that fails with the connection lost returns ERR_UNAVAILABLE and is not
 * repeated here (its effect is unknown: the caller decides). Not thread-safe: one per thread. */
#pragma once

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

struct pg; /* opaque */

/* A named statement, generated from sql/queries/<file>.sql by tools/sql-embed.awk into
 * "store/queries.h": `extern const struct pg_statement query_job_get;` */
struct pg_statement {
	const char *name;
	const char *sql;
	int param_count;
};

MUST_CHECK int pg_open(const char *conninfo, struct pg **ret, struct error *err);
/* As pg_open, but connects only when first used. */
struct pg *pg_new(const char *conninfo);
void pg_free(struct pg *pg);
void cleanup_pg(struct pg **pg);

/* Parameters of one call, in order $1, $2, … Text is borrowed until the call; numbers, arrays and
 * bytes are rendered into the builder's own memory. Arrays become PostgreSQL array literals. */
#define PG_PARAMS_MAX 24
struct pg_params {
	const char *values[PG_PARAMS_MAX]; /* NULL: SQL NULL */
	char *owned[PG_PARAMS_MAX];
	int count;
};
void pg_params_release(struct pg_params *params);
#define cleanup_pg_params pg_params_release
void pg_param_text(struct pg_params *params, const char *text); /* NULL allowed */
void pg_param_i64(struct pg_params *params, int64_t number);
void pg_param_bool(struct pg_params *params, bool value);
void pg_param_null(struct pg_params *params);
void pg_param_bytes(struct pg_params *params, const void *data, size_t bytes);
void pg_param_i64_array(struct pg_params *params, const int64_t *items, size_t count);
void pg_param_text_array(struct pg_params *params, const char *const *items,
			 size_t count); /* NULL items are NULL */
/* An array of equally long binary items (SHA-256s). */
void pg_param_bytes_array(struct pg_params *params, const uint8_t *items, size_t item_bytes,
			  size_t count);

/* Runs it; *ret is to be released with cleanup_pgresult. SQLSTATEs become error codes: 23505,
 * 40001, 40P01 → CONFLICT; 53100 → NO_SPACE; 08xxx, 57P0x, 25006, 53300 → UNAVAILABLE; RG4xx raised
 * by our functions → the HTTP status they name, with the message's text, and HINT as the hint; all
 * others → INTERNAL. */
MUST_CHECK int pg_run(struct pg *pg, const struct pg_statement *statement,
		      const struct pg_params *params, PGresult **ret, struct error *err);
/* As pg_run where no rows matter. *ret_rows (may be NULL) is the number of rows touched. */
MUST_CHECK int pg_do(struct pg *pg, const struct pg_statement *statement,
		     const struct pg_params *params, int64_t *ret_rows, struct error *err);
void cleanup_pgresult(PGresult **result);

/* A transaction over several calls. After a failed call, or instead of committing, pg_rollback: it
 * cannot fail (a connection that does not answer is dropped, which rolls back as well). */
MUST_CHECK int pg_begin(struct pg *pg, struct error *err);
/* One that only reads, and sees the database as it was at its first statement throughout. */
MUST_CHECK int pg_begin_snapshot(struct pg *pg, struct error *err);
MUST_CHECK int pg_commit(struct pg *pg, struct error *err);
void pg_rollback(struct pg *pg);

/* Reads of a result; NULL gives 0, "" or false. Malformed numbers CHECK: they are ours. */
int64_t pg_get_i64(const PGresult *result, int row, int column);
bool pg_get_bool(const PGresult *result, int row, int column);
const char *pg_get_text(const PGresult *result, int row, int column);
const char *pg_get_text_or_null(const PGresult *result, int row, int column);
/* Decodes bytea into out (appended). */
void pg_get_bytes(const PGresult *result, int row, int column, struct buf *out);

/* Waits for a notification on a channel LISTENed to, or for timeout_ms. *ret_woken says which. */
MUST_CHECK int pg_listen(struct pg *pg, const char *channel, struct error *err);
MUST_CHECK int pg_wait(struct pg *pg, uint64_t timeout_ms, bool *ret_woken, struct error *err);
/* The socket, for an event loop that calls pg_wait(…, 0, …) when it is readable; -1 when down. */
int pg_socket(const struct pg *pg);

/* Several statements (no parameters, no results): migrations, and what takes no parameters in
 * PostgreSQL, as a statement of sql/queries made it with format(). */
MUST_CHECK int pg_run_script(struct pg *pg, const char *sql, struct error *err);

/* A fixed number of connections shared by threads; opened as needed, waits when all are out. */
struct pg_pool;
MUST_CHECK int pg_pool_new(const char *conninfo, size_t connections_max, struct pg_pool **ret,
			   struct error *err);
void pg_pool_free(struct pg_pool *pool);
struct pg *pg_pool_take(struct pg_pool *pool); /* never NULL; may be down until used */
void pg_pool_give(struct pg_pool *pool, struct pg *pg);
