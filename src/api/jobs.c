/* GET /api/v1/jobs…, cancelling and retrying them */
#include <string.h>

#include "api/job_reply.h"
#include "api/job_view.h"
#include "api/page.h"
#include "api/routes.h"
#include "api/server.h"
#include "api/waker.h"
#include "base/check.h"
#include "base/json.h"
#include "base/str.h"
#include "core/job.h"
#include "store/queries.h"

/* Candidates that one page of a filtered list looks at. */
#define SCAN_MAX 10000

int jobs_get(struct request *request, struct reply *reply, struct error *err)
{
	CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request);
	int64_t id;

	if (request_resolve(request, db.pg, ID_JOB, request->args[0], &id, err) < 0)
		return -1;
	return job_reply_get(request, db.pg, id, request->args[0], reply, err);
}

/* Filters -------------------------------------------------------------------------------------- */

struct job_filter {
	enum job_state state; /* 0: any */
	int64_t batch_id;     /* 0: any */
	const char *name;
	json_t *labels; /* owned; NULL: any */
};

static void cleanup_job_filter(struct job_filter *filter)
{
	json_decref(filter->labels);
}

static int read_labels(const struct query *query, struct job_filter *filter, struct error *err)
{
	for (size_t i = 0; i < query->count; i++) {
		const char *text = query->params[i].value;
		const char *equals;

		if (!str_eq(query->params[i].name, "label"))
			continue;
		equals = strchr(text, '=');
		if (equals == NULL || equals == text) {
			error_set(err, ERR_INVALID, "must be of the form KEY=VALUE, not \"%.64s\"",
				  text);
			return error_field(err, "label");
		}
		CLEANUP(cleanup_free) char *key = xstrndup(text, (size_t)(equals - text));
		if (filter->labels == NULL)
			filter->labels = json_object();
		if (json_object_get(filter->labels, key) != NULL) {
			error_set(err, ERR_INVALID, "asks for \"%.64s\" twice", key);
			return error_field(err, "label");
		}
		CHECK(json_object_set_new(filter->labels, key, json_string(equals + 1)) == 0);
	}
	return 0;
}

static int read_filter(const struct request *request, struct pg *pg, struct job_filter *ret,
		       struct error *err)
{
	const char *state = query_get(&request->query, "state");
	const char *batch = query_get(&request->query, "batch");

	if (state != NULL && !job_state_parse(state, &ret->state)) {
		error_set(err, ERR_INVALID,
			  "must be queued, running, completed, failed or cancelled, not \"%.64s\"",
			  state);
		return error_field(err, "state");
	}
	if (batch != NULL && request_resolve(request, pg, ID_BATCH, batch, &ret->batch_id, err) < 0)
		return error_field(err, "batch");
	ret->name = query_get(&request->query, "name");
	return read_labels(&request->query, ret, err);
}

/* Where candidates come from: the narrowest set that the database can walk from the newest. */
static const char *source_of(const struct job_filter *filter)
{
	if (filter->batch_id != 0)
		return "batch";
	switch (filter->state) {
	case JOB_QUEUED:
		return "queued";
	case JOB_RUNNING:
		return "running";
	case JOB_FAILED:
	case JOB_CANCELLED:
		return "unsuccessful";
	case JOB_COMPLETED:
	case JOB_STATE_MAX:
		break;
	}
	return filter->labels != NULL ? "labels" : "all";
}

static int run_list(const struct request *request, struct pg *pg, const struct job_filter *filter,
		    int64_t before, int64_t scan, int64_t limit, PGresult **ret, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_free)
	char *labels = filter->labels != NULL ? json_to_text(filter->labels) : NULL;

	pg_param_i64(&params, request->who.project_id);
	pg_param_text(&params, source_of(filter));
	pg_param_i64(&params, before);
	pg_param_i64(&params, scan);
	if (filter->batch_id != 0)
		pg_param_i64(&params, filter->batch_id);
	else
		pg_param_null(&params);
	pg_param_text(&params, filter->name);
	pg_param_text(&params, labels);
	if (filter->state != 0)
		pg_param_i64(&params, (int64_t)filter->state);
	else
		pg_param_null(&params);
	pg_param_i64(&params, limit);
	return pg_run(pg, &query_jobs_list, &params, ret, err);
}

enum list_column { LIST_SCANNED, LIST_SCANNED_TO, LIST_JOB };

int jobs_list(struct request *request, struct reply *reply, struct error *err)
{
	CLEANUP(cleanup_job_filter) struct job_filter filter = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	char cursor[CURSOR_TEXT_BYTES];
	int64_t before;
	int64_t limit;

	if (page_read(request, CURSOR_JOBS, INT64_MAX, &before, &limit, err) < 0)
		return -1;
	CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request);
	if (read_filter(request, db.pg, &filter, err) < 0)
		return -1;
	bool is_filtered = filter.state != 0 || filter.name != NULL || filter.labels != NULL;
	int64_t scan = is_filtered ? SCAN_MAX : limit;
	if (run_list(request, db.pg, &filter, before, scan, limit, &result, err) < 0)
		return -1;
	json_t *items = json_array();
	int64_t last = 0;
	for (int row = 0; row < PQntuples(result); row++) {
		if (pg_get_text_or_null(result, row, LIST_JOB) == NULL)
			continue; /* nothing found; the row tells how far the search came */
		last = pg_get_i64(result, row, LIST_JOB + JOB_COLUMN_ID);
		CHECK(json_array_append_new(items, job_view_json(result, row, LIST_JOB)) == 0);
	}
	bool is_full = json_array_size(items) == (size_t)limit;
	bool has_more = is_full || pg_get_i64(result, 0, LIST_SCANNED) == scan;
	if (!is_full && has_more)
		last = pg_get_i64(result, 0, LIST_SCANNED_TO);
	return page_reply(request, reply, items,
			  has_more ? cursor_format(CURSOR_JOBS, &last, 1, cursor) : NULL);
}

/* History -------------------------------------------------------------------------------------- */

enum attempt_column {
	ATTEMPT_NUMBER,
	ATTEMPT_OUTCOME,
	ATTEMPT_FINAL,
	ATTEMPT_EXIT_CODE,
	ATTEMPT_MESSAGE,
	ATTEMPT_WORKER_ID,
	ATTEMPT_STARTED_US,
	ATTEMPT_FINISHED_US,
	ATTEMPT_CPU_US,
	ATTEMPT_MEMORY_PEAK_BYTES,
	ATTEMPT_RUN_US,
	ATTEMPT_STDOUT_BYTES,
	ATTEMPT_STDERR_BYTES,
	ATTEMPT_UNENFORCED,
};

static json_t *attempt_json(const PGresult *result, int row)
{
	enum outcome outcome = (enum outcome)pg_get_i64(result, row, ATTEMPT_OUTCOME);
	bool has_ended = outcome != OUTCOME_NONE;
	json_t *usage = has_ended ? json_pack("{s:o, s:o, s:o}", "cpu_us",
					      column_number(result, row, ATTEMPT_CPU_US),
					      "memory_peak_bytes",
					      column_number(result, row, ATTEMPT_MEMORY_PEAK_BYTES),
					      "run_us", column_number(result, row, ATTEMPT_RUN_US))
				  : json_null();
	json_t *json = json_pack("{s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:{s:o, s:o}}",
				 "attempt", column_number(result, row, ATTEMPT_NUMBER), "outcome",
				 has_ended ? json_string(outcome_name(outcome)) : json_null(),
				 "final", pg_get_bool(result, row, ATTEMPT_FINAL), "exit_code",
				 column_number(result, row, ATTEMPT_EXIT_CODE), "message",
				 column_text(result, row, ATTEMPT_MESSAGE), "worker_id",
				 column_id(result, row, ATTEMPT_WORKER_ID, ID_WORKER), "started_at",
				 column_time(result, row, ATTEMPT_STARTED_US), "finished_at",
				 column_time(result, row, ATTEMPT_FINISHED_US), "unenforced",
				 column_json(result, row, ATTEMPT_UNENFORCED, json_array()),
				 "usage", usage, "log_bytes", "stdout",
				 column_number(result, row, ATTEMPT_STDOUT_BYTES), "stderr",
				 column_number(result, row, ATTEMPT_STDERR_BYTES));

	CHECK(json != NULL);
	return json;
}

int jobs_attempts(struct request *request, struct reply *reply, struct error *err)
{
	CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request);
	CLEANUP(cleanup_pg_params) struct pg_params own = {0};
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *job = NULL;
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	int64_t id;

	if (request_resolve(request, db.pg, ID_JOB, request->args[0], &id, err) < 0)
		return -1;
	pg_param_i64(&own, id);
	pg_param_i64(&own, request->who.project_id);
	if (pg_run(db.pg, &query_job_output_attempt, &own, &job, err) < 0)
		return -1;
	if (PQntuples(job) == 0)
		return request_no_such(ID_JOB, request->args[0], err);
	pg_param_i64(&params, id);
	if (pg_run(db.pg, &query_job_attempts, &params, &result, err) < 0)
		return -1;
	json_t *items = json_array();
	for (int row = 0; row < PQntuples(result); row++)
		CHECK(json_array_append_new(items, attempt_json(result, row)) == 0);
	return page_reply(request, reply, items, NULL);
}

/* Actions -------------------------------------------------------------------------------------- */

enum cancel_verdict {
	CANCEL_NOT_FOUND = 0,
	CANCEL_DONE = 1,
	CANCEL_STOPPING = 2,
	CANCEL_ENDED = 3
};

static int act(struct request *request, struct pg *pg, const struct pg_statement *statement,
	       int64_t *ret_id, int64_t *ret_verdict, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;

	if (request_resolve(request, pg, ID_JOB, request->args[0], ret_id, err) < 0)
		return -1;
	pg_param_i64(&params, request->who.project_id);
	pg_param_i64(&params, *ret_id);
	if (pg_run(pg, statement, &params, &result, err) < 0)
		return -1;
	*ret_verdict = pg_get_i64(result, 0, 0);
	return 0;
}

int jobs_cancel(struct request *request, struct reply *reply, struct error *err)
{
	CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request);
	int64_t verdict;
	int64_t id;

	if (act(request, db.pg, &query_job_cancel, &id, &verdict, err) < 0)
		return -1;
	switch ((enum cancel_verdict)verdict) {
	case CANCEL_NOT_FOUND:
		return request_no_such(ID_JOB, request->args[0], err);
	case CANCEL_STOPPING:
		waker_kill(request->server->waker);
		break;
	case CANCEL_DONE:  /* it may have freed a place of its batch */
	case CANCEL_ENDED: /* cancelling twice is no error */
		waker_wake(request->server->waker);
		break;
	}
	return job_reply_get(request, db.pg, id, request->args[0], reply, err);
}

int jobs_retry(struct request *request, struct reply *reply, struct error *err)
{
	CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request);
	int64_t attempt;
	int64_t id;

	if (act(request, db.pg, &query_job_retry, &id, &attempt, err) < 0)
		return -1;
	waker_wake(request->server->waker);
	return job_reply_get(request, db.pg, id, request->args[0], reply, err);
}
