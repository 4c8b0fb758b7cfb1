/* /api/v1/workers… The fleet serves all projects: every key may see it, and an admin key of any of
 * them may drain and delete workers. */
#include "api/job_view.h"
#include "api/page.h"
#include "api/routes.h"
#include "api/server.h"
#include "api/waker.h"
#include "base/check.h"
#include "core/job.h"
#include "store/queries.h"

enum worker_column {
	WORKER_COLUMN_ID,
	WORKER_COLUMN_NAME,
	WORKER_COLUMN_STATE,
	WORKER_COLUMN_SLOTS,
	WORKER_COLUMN_RUNNING,
	WORKER_COLUMN_HOSTNAME,
	WORKER_COLUMN_VERSION,
	WORKER_COLUMN_UNENFORCED,
	WORKER_COLUMN_LAST_SEEN_US,
	WORKER_COLUMN_CREATED_US,
	WORKER_COLUMN_ENDED_US,
	WORKER_COLUMN_REASON,
};

static json_t *worker_json(const PGresult *result, int row)
{
	enum worker_state state = (enum worker_state)pg_get_i64(result, row, WORKER_COLUMN_STATE);
	json_t *json = json_pack("{s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
				 "id", column_id(result, row, WORKER_COLUMN_ID, ID_WORKER), "name",
				 column_text(result, row, WORKER_COLUMN_NAME), "state",
				 worker_state_name(state), "slots",
				 column_number(result, row, WORKER_COLUMN_SLOTS), "running",
				 column_number(result, row, WORKER_COLUMN_RUNNING), "hostname",
				 column_text(result, row, WORKER_COLUMN_HOSTNAME), "version",
				 column_text(result, row, WORKER_COLUMN_VERSION), "unenforced",
				 column_json(result, row, WORKER_COLUMN_UNENFORCED, json_array()),
				 "last_seen", column_time(result, row, WORKER_COLUMN_LAST_SEEN_US),
				 "created_at", column_time(result, row, WORKER_COLUMN_CREATED_US),
				 "ended_at", column_time(result, row, WORKER_COLUMN_ENDED_US),
				 "reason", column_text(result, row, WORKER_COLUMN_REASON));

	CHECK(json != NULL);
	return json;
}

int workers_list(struct request *request, struct reply *reply, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	int64_t before;
	int64_t limit;
	bool all;

	if (page_read(request, CURSOR_WORKERS, INT64_MAX, &before, &limit, err) < 0 ||
	    query_get_bool(&request->query, "all", &all, err) < 0)
		return -1;
	CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request);
	pg_param_i64(&params, before);
	pg_param_bool(&params, all);
	pg_param_i64(&params, limit);
	if (pg_run(db.pg, &query_workers_list, &params, &result, err) < 0)
		return -1;
	json_t *items = json_array();
	int64_t last = 0;
	for (int row = 0; row < PQntuples(result); row++) {
		last = pg_get_i64(result, row, WORKER_COLUMN_ID);
		CHECK(json_array_append_new(items, worker_json(result, row)) == 0);
	}
	return page_reply_by_id(request, reply, items, CURSOR_WORKERS, limit, last);
}

static int reply_worker(struct pg *pg, int64_t id, const char *text, struct reply *reply,
			struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;

	pg_param_i64(&params, id);
	if (pg_run(pg, &query_worker_get, &params, &result, err) < 0)
		return -1;
	if (PQntuples(result) == 0)
		return request_no_such(ID_WORKER, text, err);
	return reply_json(reply, MHD_HTTP_OK, worker_json(result, 0));
}

/* Does it by a statement that takes the worker, `force` unless NULL, and who asked. The worker
 * hears of it at its next heartbeat: we ask all for one now, as for jobs that are cancelled. */
static int act(struct request *request, const struct pg_statement *statement, const bool *force,
	       struct reply *reply, struct error *err)
{
	CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request);
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	char by[REQUEST_BY_BYTES];
	int64_t id;

	if (request_resolve(request, db.pg, ID_WORKER, request->args[0], &id, err) < 0)
		return -1;
	pg_param_i64(&params, id);
	if (force != NULL)
		pg_param_bool(&params, *force);
	pg_param_text(&params, request_by(request, by));
	if (pg_do(db.pg, statement, &params, NULL, err) < 0)
		return err->code == ERR_NOT_FOUND
			       ? request_no_such(ID_WORKER, request->args[0], err)
			       : -1;
	waker_kill(request->server->waker);
	waker_wake(request->server->waker);
	return reply_worker(db.pg, id, request->args[0], reply, err);
}

int workers_drain(struct request *request, struct reply *reply, struct error *err)
{
	return act(request, &query_worker_drain, NULL, reply, err);
}

int workers_undrain(struct request *request, struct reply *reply, struct error *err)
{
	return act(request, &query_worker_undrain, NULL, reply, err);
}

int workers_delete(struct request *request, struct reply *reply, struct error *err)
{
	bool force;

	if (query_get_bool(&request->query, "force", &force, err) < 0)
		return -1;
	return act(request, &query_worker_delete, &force, reply, err);
}
