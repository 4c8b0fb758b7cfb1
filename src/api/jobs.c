/* GET /api/v1/jobs/{id}…, cancelling and retrying */
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

int jobs_get(struct request *request, struct reply *reply, struct error *err)
{
	CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request);
	int64_t id;

	if (request_resolve(request, db.pg, ID_JOB, request->args[0], &id, err) < 0)
		return -1;
	return job_reply_get(request, db.pg, id, request->args[0], reply, err);
}

/* History */

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

/* Actions */

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
