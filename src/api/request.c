#include "api/request.h"

#include <stdio.h>
#include <string.h>

#include "api/refuse.h"
#include "api/server.h"
#include "base/check.h"
#include "base/json.h"
#include "base/str.h"
#include "store/queries.h"

const char *request_header(const struct request *request, const char *name)
{
	return MHD_lookup_connection_value(request->http, MHD_HEADER_KIND, name);
}

struct request_db request_db_take(const struct request *request)
{
	struct pg_pool *pool = request->server->pool;

	return (struct request_db){.pool = pool, .pg = pg_pool_take(pool)};
}

void cleanup_request_db(struct request_db *db)
{
	pg_rollback(db->pg);
	pg_pool_give(db->pool, db->pg);
}

static const char *kind_word(enum id_kind kind)
{
	return kind == ID_WORKER ? "worker" : kind == ID_BATCH ? "batch" : "job";
}

int request_no_such(enum id_kind kind, const char *text, struct error *err)
{
	error_set(err, ERR_NOT_FOUND, "there is no %s %.64s", kind_word(kind), text);
	if (kind == ID_WORKER)
		error_hint(err, "`rgrid worker list` shows those that live");
	return -1;
}

static int resolve_last(struct pg *pg, int64_t project_id, enum id_kind kind, int64_t *ret,
			struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;

	pg_param_i64(&params, project_id);
	if (pg_run(pg, kind == ID_BATCH ? &query_batch_last : &query_job_last, &params, &result,
		   err) < 0)
		return -1;
	if (pg_get_text_or_null(result, 0, 0) == NULL)
		return error_set(err, ERR_NOT_FOUND, "there is no %s yet", kind_word(kind));
	*ret = pg_get_i64(result, 0, 0);
	return 0;
}

static int ambiguous(enum id_kind kind, const char *text, const PGresult *found, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf names = {0};
	char id[ID_TEXT_BYTES];

	buf_init(&names, ERROR_HINT_BYTES);
	for (int row = 0; row < PQntuples(found); row++)
		buf_appendf(&names, "%s%s", row > 0 ? ", " : "",
			    id_format(kind, pg_get_i64(found, row, 0), id));
	error_set(err, ERR_CONFLICT, "several ids begin with %.64s", text);
	return error_hint(err, "candidates: %s%s", names.data, PQntuples(found) == 6 ? ", …" : "");
}

/* Workers serve all projects; jobs and batches belong to one. */
static int find_between(const struct request *request, struct pg *pg, enum id_kind kind,
			int64_t low, int64_t high, PGresult **ret, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};

	if (kind != ID_WORKER)
		pg_param_i64(&params, request->who.project_id);
	pg_param_i64(&params, low);
	pg_param_i64(&params, high);
	return pg_run(pg,
		      kind == ID_WORKER	 ? &query_worker_find
		      : kind == ID_BATCH ? &query_batch_find
					 : &query_job_find,
		      &params, ret, err);
}

int request_resolve(const struct request *request, struct pg *pg, enum id_kind kind,
		    const char *text, int64_t *ret, struct error *err)
{
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	int64_t low;
	int64_t high;

	/* "last" is no worker: the newest one is nobody's. */
	if (str_eq(text, "last") && kind != ID_WORKER)
		return resolve_last(pg, request->who.project_id, kind, ret, err);
	if (!id_parse(kind, text, &low, &high))
		return request_no_such(kind, text, err);
	if (low == high) {
		*ret = low;
		return 0;
	}
	if (find_between(request, pg, kind, low, high, &result, err) < 0)
		return -1;
	if (PQntuples(result) == 0)
		return request_no_such(kind, text, err);
	if (PQntuples(result) > 1)
		return ambiguous(kind, text, result, err);
	*ret = pg_get_i64(result, 0, 0);
	return 0;
}

const char *request_by(const struct request *request, char out[REQUEST_BY_BYTES])
{
	(void)snprintf(out, REQUEST_BY_BYTES, "key %s", request->who.label);
	return out;
}

int request_idempotency_key(const struct request *request, const char **ret, struct error *err)
{
	const char *key = request_header(request, "Idempotency-Key");
	size_t bytes = key != NULL ? strlen(key) : 0;

	*ret = NULL;
	if (key == NULL)
		return 0;
	bool is_good = bytes > 0 && bytes <= LIMIT_IDEMPOTENCY_KEY_BYTES;
	for (size_t i = 0; i < bytes; i++)
		is_good = is_good && key[i] > ' ' && key[i] < 0x7f;
	if (!is_good) {
		return refuse_field(err, "Idempotency-Key",
				    "must be 1 to %d visible ASCII characters without spaces",
				    LIMIT_IDEMPOTENCY_KEY_BYTES);
	}
	*ret = key;
	return 0;
}

void request_digest(const struct request *request, uint8_t ret[SHA256_BYTES])
{
	struct sha256 *digest = sha256_new();

	sha256_update(digest, request->route->pattern, strlen(request->route->pattern) + 1);
	for (size_t i = 0; i < ROUTE_ARGS_MAX && request->args[i] != NULL; i++)
		sha256_update(digest, request->args[i], strlen(request->args[i]) + 1);
	sha256_update(digest, request->body.data, request->body.bytes);
	sha256_finish(digest, ret);
	sha256_free(digest);
}

int request_limit(const struct request *request, int64_t *ret, struct error *err)
{
	const char *text = query_get(&request->query, "limit");

	*ret = DEFAULT_PAGE;
	if (text == NULL || parse_i64(text, 1, LIMIT_PAGE, ret, err) == 0)
		return 0;
	return refuse_value(err, "limit");
}
