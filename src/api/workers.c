/* GET /api/v1/workers. The fleet serves all projects; every key may see it. */
#include "api/job_view.h"
#include "api/page.h"
#include "api/routes.h"
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
