/* /api/v1/batches… */
#include <string.h>

#include "api/job_reply.h"
#include "api/job_view.h"
#include "api/once.h"
#include "api/page.h"
#include "api/refuse.h"
#include "api/routes.h"
#include "api/server.h"
#include "api/spec_list.h"
#include "api/waker.h"
#include "base/check.h"
#include "base/json.h"
#include "base/str.h"
#include "core/job.h"
#include "core/limits.h"
#include "store/queries.h"

/* The columns of rg.batch_view, in order. */
enum batch_column {
	BATCH_ID,
	BATCH_PROJECT_ID,
	BATCH_NAME,
	BATCH_LABELS,
	BATCH_PARALLEL_LIMIT,
	BATCH_MAX_FAILS,
	BATCH_CREATED_US,
	BATCH_IS_CANCELLED,
	BATCH_TOTAL,
	BATCH_RUNNING,
	BATCH_COMPLETED,
	BATCH_FAILED,
	BATCH_CANCELLED,
	BATCH_COST_MICROS,
	BATCH_MAX_COST_MICROS,
	BATCH_LIMIT_STATUS,
};

static const char *batch_state(const PGresult *result, int row, int64_t left)
{
	if (left > 0)
		return job_state_name(JOB_RUNNING);
	if (pg_get_i64(result, row, BATCH_FAILED) > 0)
		return job_state_name(JOB_FAILED);
	if (pg_get_i64(result, row, BATCH_CANCELLED) > 0 ||
	    pg_get_bool(result, row, BATCH_IS_CANCELLED))
		return job_state_name(JOB_CANCELLED);
	return job_state_name(JOB_COMPLETED);
}

static json_t *batch_json(const PGresult *result, int row)
{
	int64_t left =
		pg_get_i64(result, row, BATCH_TOTAL) - pg_get_i64(result, row, BATCH_COMPLETED) -
		pg_get_i64(result, row, BATCH_FAILED) - pg_get_i64(result, row, BATCH_CANCELLED);
	int64_t running = pg_get_i64(result, row, BATCH_RUNNING);
	json_t *counts = json_pack(
		"{s:o, s:I, s:I, s:o, s:o, s:o}", "total", column_number(result, row, BATCH_TOTAL),
		"queued", (json_int_t)(left > running ? left - running : 0), "running",
		(json_int_t)running, "completed", column_number(result, row, BATCH_COMPLETED),
		"failed", column_number(result, row, BATCH_FAILED), "cancelled",
		column_number(result, row, BATCH_CANCELLED));
	json_t *json = json_pack(
		"{s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id",
		column_id(result, row, BATCH_ID, ID_BATCH), "name",
		column_text(result, row, BATCH_NAME), "state", batch_state(result, row, left),
		"parallel", column_number(result, row, BATCH_PARALLEL_LIMIT), "max_fails",
		column_number(result, row, BATCH_MAX_FAILS), "created_at",
		column_time(result, row, BATCH_CREATED_US), "labels",
		column_json(result, row, BATCH_LABELS, json_object()), "counts", counts,
		"cost_micros", column_number(result, row, BATCH_COST_MICROS), "max_cost_micros",
		column_number(result, row, BATCH_MAX_COST_MICROS), "limit_status",
		column_text(result, row, BATCH_LIMIT_STATUS));

	CHECK(json != NULL);
	return json;
}

static int get_batch(const struct request *request, struct pg *pg, int64_t id, const char *text,
		     json_t **ret, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;

	pg_param_i64(&params, id);
	pg_param_i64(&params, request->who.project_id);
	if (pg_run(pg, &query_batch_get, &params, &result, err) < 0)
		return -1;
	if (PQntuples(result) == 0)
		return request_no_such(ID_BATCH, text, err);
	*ret = batch_json(result, 0);
	return 0;
}

static int reply_batch(const struct request *request, struct pg *pg, int64_t id,
		       struct reply *reply, struct error *err)
{
	json_t *batch = NULL;

	if (get_batch(request, pg, id, request->args[0], &batch, err) < 0)
		return -1;
	return reply_json(reply, MHD_HTTP_OK, batch);
}

int batches_get(struct request *request, struct reply *reply, struct error *err)
{
	CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request);
	int64_t id;

	if (request_resolve(request, db.pg, ID_BATCH, request->args[0], &id, err) < 0)
		return -1;
	return reply_batch(request, db.pg, id, reply, err);
}

int batches_list(struct request *request, struct reply *reply, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	int64_t before;
	int64_t limit;

	if (page_read(request, CURSOR_BATCHES, INT64_MAX, &before, &limit, err) < 0)
		return -1;
	CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request);
	pg_param_i64(&params, request->who.project_id);
	pg_param_i64(&params, before);
	pg_param_i64(&params, limit);
	if (pg_run(db.pg, &query_batches_list, &params, &result, err) < 0)
		return -1;
	json_t *items = json_array();
	int64_t last = 0;
	for (int row = 0; row < PQntuples(result); row++) {
		last = pg_get_i64(result, row, BATCH_ID);
		CHECK(json_array_append_new(items, batch_json(result, row)) == 0);
	}
	return page_reply_by_id(request, reply, items, CURSOR_BATCHES, limit, last);
}

/* Submission */

struct batch_request {
	const char *name;
	uint64_t parallel;	  /* 0: no limit */
	uint64_t max_fails;	  /* 0: none */
	uint64_t max_cost_micros; /* 0: none */
	const json_t *labels;
	const json_t *jobs;
};

static int read_batch(const struct request *request, struct batch_request *ret, struct error *err)
{
	struct json_reader reader;

	json_reader_init(&reader, request->json, "", err);
	json_read_str(&reader, "name", 1, LIMIT_NAME_BYTES, &ret->name);
	json_read_u64(&reader, "parallel", 1, LIMIT_PARALLEL, &ret->parallel);
	json_read_u64(&reader, "max_fails", 1, INT32_MAX, &ret->max_fails);
	json_read_u64(&reader, "max_cost_micros", 1, LIMIT_MONEY_MICROS, &ret->max_cost_micros);
	job_labels_read(&reader, &ret->labels);
	json_require(&reader, "jobs");
	json_read_array(&reader, "jobs", LIMIT_BULK_JOBS, &ret->jobs);
	return json_reader_finish(&reader);
}

static void param_count(struct pg_params *params, uint64_t count)
{
	if (count > 0)
		pg_param_i64(params, (int64_t)count);
	else
		pg_param_null(params);
}

static int limit_cost(struct pg *pg, int64_t id, int64_t micros, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};

	pg_param_i64(&params, id);
	pg_param_i64(&params, micros);
	return pg_do(pg, &query_batch_limit_cost, &params, NULL, err);
}

static int create_batch(const struct request *request, struct pg *pg,
			const struct batch_request *batch, int64_t *ret_id, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	CLEANUP(cleanup_free)
	char *labels = batch->labels != NULL ? json_to_text(batch->labels) : NULL;

	pg_param_i64(&params, request->who.project_id);
	pg_param_text(&params, batch->name);
	pg_param_text(&params, labels);
	param_count(&params, batch->parallel);
	param_count(&params, batch->max_fails);
	if (pg_run(pg, &query_batch_create, &params, &result, err) < 0)
		return -1;
	*ret_id = pg_get_i64(result, 0, 0);
	return batch->max_cost_micros > 0
		       ? limit_cost(pg, *ret_id, (int64_t)batch->max_cost_micros, err)
		       : 0;
}

/* What is kept for repetitions: {"batch": number, "job_ids": […]}. */
static int reply_created(const struct request *request, struct pg *pg, const json_t *answer,
			 struct reply *reply, struct error *err)
{
	json_t *batch = NULL;
	int64_t id = json_integer_value(json_object_get(answer, "batch"));

	if (get_batch(request, pg, id, "", &batch, err) < 0)
		return -1;
	CHECK(json_object_set(batch, "job_ids", json_object_get(answer, "job_ids")) == 0);
	return reply_json(reply, MHD_HTTP_CREATED, batch);
}

/* Jobs into the batch `id`, in the transaction that is open; then its end. */
static int submit_into(struct request *request, struct pg *pg, const struct spec_list *list,
		       int64_t id, json_t **ret_answer, struct error *err)
{
	CLEANUP(cleanup_free) int64_t *ids = NULL;
	CLEANUP(cleanup_json) json_t *answer = NULL;

	if (spec_list_submit(list, pg, request->who.project_id, id, &ids, err) < 0)
		return -1;
	answer = json_pack("{s:I, s:o}", "batch", (json_int_t)id, "job_ids",
			   job_reply_ids(ids, list->count, false));
	CHECK(answer != NULL);
	if (once_finish(request, pg, answer, err) < 0)
		return -1;
	waker_wake(request->server->waker);
	*ret_answer = TAKE_PTR(answer);
	return 0;
}

int batches_submit(struct request *request, struct reply *reply, struct error *err)
{
	CLEANUP(cleanup_spec_list) struct spec_list list = {0};
	CLEANUP(cleanup_json) json_t *answer = NULL;
	struct batch_request batch = {0};
	int64_t id;

	if (read_batch(request, &batch, err) < 0 || spec_list_read(batch.jobs, &list, err) < 0)
		return -1;
	CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request);
	if (spec_list_check_blobs(&list, db.pg, request->who.project_id, err) < 0 ||
	    once_begin(request, db.pg, &answer, err) < 0)
		return -1;
	if (answer != NULL)
		once_mark_replayed(reply);
	else if (create_batch(request, db.pg, &batch, &id, err) < 0 ||
		 submit_into(request, db.pg, &list, id, &answer, err) < 0)
		return -1;
	return reply_created(request, db.pg, answer, reply, err);
}

int batches_append(struct request *request, struct reply *reply, struct error *err)
{
	CLEANUP(cleanup_spec_list) struct spec_list list = {0};
	CLEANUP(cleanup_json) json_t *answer = NULL;
	struct json_reader reader;
	const json_t *jobs = NULL;
	int64_t id;

	json_reader_init(&reader, request->json, "", err);
	json_require(&reader, "jobs");
	json_read_array(&reader, "jobs", LIMIT_BULK_JOBS, &jobs);
	if (json_reader_finish(&reader) < 0 || spec_list_read(jobs, &list, err) < 0)
		return -1;
	CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request);
	if (request_resolve(request, db.pg, ID_BATCH, request->args[0], &id, err) < 0 ||
	    spec_list_check_blobs(&list, db.pg, request->who.project_id, err) < 0 ||
	    once_begin(request, db.pg, &answer, err) < 0)
		return -1;
	if (answer != NULL)
		once_mark_replayed(reply);
	else if (submit_into(request, db.pg, &list, id, &answer, err) < 0)
		return -1;
	return reply_json(reply, MHD_HTTP_CREATED,
			  json_pack("{s:O}", "job_ids", json_object_get(answer, "job_ids")));
}

/* Results */

enum results_column { RESULTS_XID, RESULTS_JOB_ID, RESULTS_JOB };

int batches_results(struct request *request, struct reply *reply, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	CLEANUP(cleanup_json) json_t *batch = NULL;
	const char *cursor = query_get(&request->query, "cursor");
	int64_t position[2] = {0, 0}; /* transaction, job */
	char next[CURSOR_TEXT_BYTES];
	char xid[24];
	int64_t limit;
	int64_t id;

	if (request_limit(request, &limit, err) < 0 ||
	    (cursor != NULL && cursor_parse(cursor, CURSOR_RESULTS, position, 2, err) < 0))
		return -1;
	CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request);
	if (request_resolve(request, db.pg, ID_BATCH, request->args[0], &id, err) < 0 ||
	    get_batch(request, db.pg, id, request->args[0], &batch, err) < 0)
		return -1;
	(void)snprintf(xid, sizeof(xid), "%lld", (long long)position[0]);
	pg_param_i64(&params, id);
	pg_param_text(&params, xid);
	pg_param_i64(&params, position[1]);
	pg_param_i64(&params, limit);
	if (pg_run(db.pg, &query_batch_results, &params, &result, err) < 0)
		return -1;
	json_t *items = json_array();
	for (int row = 0; row < PQntuples(result); row++) {
		position[0] = pg_get_i64(result, row, RESULTS_XID);
		position[1] = pg_get_i64(result, row, RESULTS_JOB_ID);
		CHECK(json_array_append_new(items, job_view_json(result, row, RESULTS_JOB)) == 0);
	}
	return page_reply(request, reply, items, cursor_format(CURSOR_RESULTS, position, 2, next));
}

/* Actions */

int batches_cancel(struct request *request, struct reply *reply, struct error *err)
{
	CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request);
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	int64_t id;

	if (request_resolve(request, db.pg, ID_BATCH, request->args[0], &id, err) < 0)
		return -1;
	pg_param_i64(&params, request->who.project_id);
	pg_param_i64(&params, id);
	if (pg_run(db.pg, &query_batch_cancel, &params, &result, err) < 0)
		return -1;
	if (pg_get_i64(result, 0, 1) > 0)
		waker_kill(request->server->waker);
	return reply_batch(request, db.pg, id, reply, err);
}

int batches_retry(struct request *request, struct reply *reply, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	struct json_reader reader;
	const char *only = "failed";
	int64_t id;

	json_reader_init(&reader, request->json, "", err);
	json_read_str(&reader, "only", 0, SIZE_MAX, &only);
	if (json_reader_finish(&reader) < 0)
		return -1;
	if (!str_eq(only, "failed") && !str_eq(only, "all"))
		return refuse_field(err, "only", "must be \"failed\" or \"all\"");
	CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request);
	if (request_resolve(request, db.pg, ID_BATCH, request->args[0], &id, err) < 0)
		return -1;
	pg_param_i64(&params, request->who.project_id);
	pg_param_i64(&params, id);
	pg_param_bool(&params, str_eq(only, "failed"));
	if (pg_run(db.pg, &query_batch_retry, &params, &result, err) < 0)
		return -1;
	waker_wake(request->server->waker);
	return reply_json(reply, MHD_HTTP_OK,
			  json_pack("{s:o}", "retried", column_number(result, 0, 0)));
}
