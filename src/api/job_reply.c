#include "api/job_reply.h"

#include "api/job_view.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"
#include "core/job.h"
#include "store/queries.h"

/* Ids: milliseconds since 2025-01-01 above 22 bits, see rg.id_floor. */
#define ID_EPOCH_MS   INT64_C(1735689600000)
#define ID_TIME_SHIFT 22
#define AHEAD_MAX     1000 /* job_queue_facts counts no further */

static int add_queue_reason(struct pg *pg, int64_t id, json_t *job, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	json_t *reason;

	pg_param_i64(&params, id);
	if (pg_run(pg, &query_job_queue_facts, &params, &result, err) < 0)
		return -1;
	int64_t ahead = pg_get_i64(result, 0, 0);
	if (pg_get_i64(result, 0, 1) == 0)
		reason = json_string("no worker is active");
	else if (ahead > AHEAD_MAX)
		reason =
			json_sprintf(JOB_REASON_WAITING ": more than %d jobs are ahead", AHEAD_MAX);
	else
		reason = json_sprintf(JOB_REASON_WAITING ": %lld job%s ahead", (long long)ahead,
				      ahead == 1 ? " is" : "s are");
	return json_object_set_new(job, "reason", reason);
}

static int add_cost(struct pg *pg, int64_t id, json_t *job, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;

	pg_param_i64(&params, id);
	if (pg_run(pg, &query_job_cost, &params, &result, err) < 0)
		return -1;
	return json_object_set_new(job, "cost_micros", column_number(result, 0, 0));
}

int job_reply_get(const struct request *request, struct pg *pg, int64_t id, const char *text,
		  struct reply *reply, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;

	pg_param_i64(&params, id);
	pg_param_i64(&params, request->who.project_id);
	if (pg_run(pg, &query_job_get, &params, &result, err) < 0)
		return -1;
	if (PQntuples(result) == 0)
		return request_no_such(ID_JOB, text, err);
	CLEANUP(cleanup_json) json_t *job = job_view_json(result, 0, 0);
	if (pg_get_i64(result, 0, JOB_COLUMN_PLACE) == PLACE_READY &&
	    add_queue_reason(pg, id, job, err) < 0)
		return -1;
	if (add_cost(pg, id, job, err) < 0)
		return -1;
	(void)json_object_set_new(job, "limit_status", json_string(request->who.limit_status));
	(void)json_object_set_new(job, "spec",
				  column_json(result, 0, JOB_COLUMN_COUNT, json_null()));
	return reply_json(reply, MHD_HTTP_OK, TAKE_PTR(job));
}

int job_reply_created(struct reply *reply, int64_t id, json_t *spec, const char *limit_status)
{
	char id_text[ID_TEXT_BYTES];
	char created_at[CLOCK_RFC3339_BYTES];
	json_t *name = json_object_get(spec, "name");
	json_t *labels = json_object_get(spec, "labels");

	clock_format_rfc3339(((id >> ID_TIME_SHIFT) + ID_EPOCH_MS) * 1000, created_at);
	id_format(ID_JOB, id, id_text);
	json_t *job = json_pack(
		"{s:s, s:n, s:n, s:O, s:s, s:s, s:s, s:n, s:n, s:i, s:n, s:n, s:n, "
		"s:n, s:[], s:n, s:{s:n, s:n}, s:o, s:i, s:O, s:s}",
		"id", id_text, "batch_id", "batch_index", "name", name != NULL ? name : json_null(),
		"state", job_state_name(JOB_QUEUED), "reason", JOB_REASON_WAITING, "created_at",
		created_at, "started_at", "finished_at", "attempt", 1, "outcome", "exit_code",
		"message", "worker_id", "unenforced", "usage", "log_bytes", "stdout", "stderr",
		"labels", json_is_object(labels) ? json_incref(labels) : json_object(),
		"cost_micros", 0, "spec", spec, "limit_status", limit_status);

	return reply_json(reply, MHD_HTTP_CREATED, job);
}

json_t *job_reply_ids(const int64_t *ids, size_t count, bool as_objects)
{
	json_t *items = json_array();
	char text[ID_TEXT_BYTES];

	for (size_t i = 0; i < count; i++) {
		json_t *id = json_string(id_format(ID_JOB, ids[i], text));

		CHECK(json_array_append_new(items,
					    as_objects ? json_pack("{s:o}", "id", id) : id) == 0);
	}
	return items;
}
