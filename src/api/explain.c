/* GET /api/v1/jobs/{id}/explain: why a job does not run yet, and what will happen next. */
#include "api/job_view.h"
#include "api/page.h"
#include "api/routes.h"
#include "api/server.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"
#include "core/job.h"
#include "core/limits.h"
#include "store/queries.h"

/* The leader writes its reasons down when they change, so they may be old and true; but jobs that
 * came since then have none. */
enum wait_column {
	WAIT_CODE,
	WAIT_REASON,
	WAIT_NEXT,
	WAIT_UNTIL_US,
	WAIT_AGE_MS,
	WAIT_COUNT,
};

static json_t *explanation(const char *code, json_t *reason, const char *next)
{
	json_t *json = json_pack("{s:s, s:o, s:s, s:n}", "code", code, "reason", reason, "next",
				 next, "until");

	CHECK(json != NULL);
	return json;
}

static int explain_ready(struct pg *pg, int64_t id, json_t **ret, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;

	pg_param_i64(&params, id);
	pg_param_i64(&params, DEFAULT_CPU_MILLIS);
	pg_param_i64(&params, (int64_t)DEFAULT_MEMORY_BYTES);
	if (pg_run(pg, &query_explain_waits, &params, &result, err) < 0)
		return -1;
	json_t *all = json_array();
	for (int row = 0; row < PQntuples(result); row++)
		CHECK(json_array_append_new(
			      all, json_pack("{s:o, s:o, s:o, s:o, s:o}", "code",
					     column_text(result, row, WAIT_CODE), "reason",
					     column_text(result, row, WAIT_REASON), "next",
					     column_text(result, row, WAIT_NEXT), "until",
					     column_time(result, row, WAIT_UNTIL_US), "jobs",
					     column_number(result, row, WAIT_COUNT))) == 0);
	if (PQntuples(result) == 0)
		*ret = explanation("queued", json_string(JOB_REASON_WAITING),
				   "the orchestrator looks at it within a second");
	else
		*ret = json_deep_copy(json_array_get(all, 0));
	CHECK(json_object_set_new(*ret, "all", all) == 0);
	return 0;
}

/* null, or {"reason": …|null}: said whatever else the job waits for. */
static int add_pause(struct pg *pg, json_t *explained, struct error *err)
{
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	json_t *pause = json_null();

	if (pg_run(pg, &query_fleet_paused, NULL, &result, err) < 0)
		return -1;
	if (pg_get_bool(result, 0, 0))
		pause = json_pack("{s:o}", "reason", column_text(result, 0, 1));
	CHECK(json_object_set_new(explained, "provisioning_paused", pause) == 0);
	return 0;
}

static json_t *explain_place(const PGresult *result)
{
	switch ((enum job_place)pg_get_i64(result, 0, JOB_COLUMN_PLACE)) {
	case PLACE_PARKED:
		return explanation("batch-limit", job_view_reason(result, 0, 0),
				   "it runs when another job of its batch has ended");
	case PLACE_DELAYED:
		return explanation(pg_get_text_or_null(result, 0, JOB_COLUMN_RUN_AT_US) ? "delayed"
											: "money",
				   job_view_reason(result, 0, 0),
				   pg_get_text_or_null(result, 0, JOB_COLUMN_RUN_AT_US)
					   ? "it is queued again at that time"
					   : "rgrid cost limit raises the limit");
	case PLACE_LEASED:
		return explanation("running", json_string("it runs"), "rgrid attach follows it");
	case PLACE_READY:
	case PLACE_ENDED:
		break;
	}
	return explanation("ended", json_string("it has ended"), "rgrid retry runs it again");
}

int jobs_explain(struct request *request, struct reply *reply, struct error *err)
{
	CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request);
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	char text[ID_TEXT_BYTES];
	CLEANUP(cleanup_json) json_t *json = NULL;
	int64_t id;

	if (request_resolve(request, db.pg, ID_JOB, request->args[0], &id, err) < 0)
		return -1;
	pg_param_i64(&params, id);
	pg_param_i64(&params, request->who.project_id);
	if (pg_run(db.pg, &query_job_get, &params, &result, err) < 0)
		return -1;
	if (PQntuples(result) == 0)
		return request_no_such(ID_JOB, request->args[0], err);
	if (pg_get_i64(result, 0, JOB_COLUMN_PLACE) != PLACE_READY)
		json = explain_place(result);
	else if (explain_ready(db.pg, id, &json, err) < 0 || add_pause(db.pg, json, err) < 0)
		return -1;
	enum job_state state = (enum job_state)pg_get_i64(result, 0, JOB_COLUMN_STATE);
	CHECK(json_object_set_new(json, "id", json_string(id_format(ID_JOB, id, text))) == 0);
	CHECK(json_object_set_new(json, "state", json_string(job_state_name(state))) == 0);
	return reply_json(reply, MHD_HTTP_OK, TAKE_PTR(json));
}
