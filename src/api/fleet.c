/* /api/v1/fleet…: the fleet at a glance, and an operator's hold on the making of servers. */
#include "api/job_view.h"
#include "api/request.h"
#include "api/routes.h"
#include "api/server.h"
#include "api/waker.h"
#include "base/check.h"
#include "base/json.h"
#include "core/limits.h"
#include "store/queries.h"

/* Columns of fleet_status. */
enum fleet_column {
	FLEET_COLUMN_PAUSED_US,
	FLEET_COLUMN_PAUSED_REASON,
	FLEET_COLUMN_QUOTA_US,
	FLEET_COLUMN_QUOTA_MESSAGE,
	FLEET_COLUMN_LEADS,
	FLEET_COLUMN_PROVISIONING,
	FLEET_COLUMN_ACTIVE,
	FLEET_COLUMN_DRAINING,
	FLEET_COLUMN_SLOTS,
	FLEET_COLUMN_RUNNING,
	FLEET_COLUMN_READY,
	FLEET_COLUMN_PARKED,
	FLEET_COLUMN_DELAYED,
	FLEET_COLUMN_HELD,
	FLEET_COLUMN_LIMITS,
	FLEET_COLUMN_SPENT_MICROS,
};

/* Columns of fleet_waits. */
enum wait_column {
	WAIT_CPU_MILLIS,
	WAIT_MEMORY_BYTES,
	WAIT_COUNT,
	WAIT_CODE,
	WAIT_REASON,
	WAIT_NEXT,
	WAIT_UNTIL_US,
};

static json_t *waits_json(const PGresult *result)
{
	json_t *waits = json_array();

	for (int row = 0; row < PQntuples(result); row++)
		CHECK(json_array_append_new(
			      waits,
			      json_pack("{s:o, s:f, s:o, s:o, s:o, s:o, s:o}", "jobs",
					column_number(result, row, WAIT_COUNT), "cpus",
					(double)pg_get_i64(result, row, WAIT_CPU_MILLIS) / 1000,
					"memory_bytes",
					column_number(result, row, WAIT_MEMORY_BYTES), "code",
					column_text(result, row, WAIT_CODE), "reason",
					column_text(result, row, WAIT_REASON), "next",
					column_text(result, row, WAIT_NEXT), "until",
					column_time(result, row, WAIT_UNTIL_US))) == 0);
	return waits;
}

/* {column: {"at": …, "reason": …}}, or null without a time. */
static json_t *since_json(const PGresult *result, int time_column, const char *time_name,
			  int text_column)
{
	if (pg_get_text_or_null(result, 0, time_column) == NULL)
		return json_null();
	return json_pack("{s:o, s:o}", time_name, column_time(result, 0, time_column), "reason",
			 column_text(result, 0, text_column));
}

static json_t *fleet_json(const PGresult *result, json_t *waits)
{
	json_t *workers = json_pack("{s:o, s:o, s:o, s:o, s:o}", "provisioning",
				    column_number(result, 0, FLEET_COLUMN_PROVISIONING), "active",
				    column_number(result, 0, FLEET_COLUMN_ACTIVE), "draining",
				    column_number(result, 0, FLEET_COLUMN_DRAINING), "slots",
				    column_number(result, 0, FLEET_COLUMN_SLOTS), "running",
				    column_number(result, 0, FLEET_COLUMN_RUNNING));
	json_t *queue = json_pack("{s:o, s:o, s:o, s:o}", "ready",
				  column_number(result, 0, FLEET_COLUMN_READY), "parked",
				  column_number(result, 0, FLEET_COLUMN_PARKED), "delayed",
				  column_number(result, 0, FLEET_COLUMN_DELAYED), "held",
				  column_number(result, 0, FLEET_COLUMN_HELD));
	json_t *json = json_pack(
		"{s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o}", "paused",
		since_json(result, FLEET_COLUMN_PAUSED_US, "since", FLEET_COLUMN_PAUSED_REASON),
		"quota",
		since_json(result, FLEET_COLUMN_QUOTA_US, "until", FLEET_COLUMN_QUOTA_MESSAGE),
		"orchestrator_leads", pg_get_bool(result, 0, FLEET_COLUMN_LEADS), "workers",
		workers, "queue", queue, "waits", waits, "limits",
		column_json(result, 0, FLEET_COLUMN_LIMITS, json_null()), "spent_micros",
		column_number(result, 0, FLEET_COLUMN_SPENT_MICROS));

	CHECK(json != NULL);
	return json;
}

static int reply_fleet(struct pg *pg, struct reply *reply, struct error *err)
{
	CLEANUP(cleanup_pgresult) PGresult *status = NULL;
	CLEANUP(cleanup_pgresult) PGresult *waits = NULL;

	if (pg_run(pg, &query_fleet_status, NULL, &status, err) < 0 ||
	    pg_run(pg, &query_fleet_waits, NULL, &waits, err) < 0)
		return -1;
	return reply_json(reply, MHD_HTTP_OK, fleet_json(status, waits_json(waits)));
}

int fleet_get(struct request *request, struct reply *reply, struct error *err)
{
	CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request);

	return reply_fleet(db.pg, reply, err);
}

static int hold(struct request *request, bool pause, const char *reason, struct reply *reply,
		struct error *err)
{
	CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request);
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	char by[REQUEST_BY_BYTES];

	pg_param_bool(&params, pause);
	if (reason != NULL)
		pg_param_text(&params, reason);
	else
		pg_param_null(&params);
	pg_param_text(&params, request_by(request, by));
	if (pg_do(db.pg, &query_fleet_pause, &params, NULL, err) < 0)
		return -1;
	/* Orchestrators listen for it, too: reasons of waits are renewed at once. */
	waker_wake(request->server->waker);
	return reply_fleet(db.pg, reply, err);
}

/* {"reason": "…"}, or {} */
int fleet_pause(struct request *request, struct reply *reply, struct error *err)
{
	struct json_reader reader;
	const char *reason = NULL;

	json_reader_init(&reader, request->json, "", err);
	json_read_str(&reader, "reason", 1, LIMIT_PAUSE_REASON_BYTES, &reason);
	if (json_reader_finish(&reader) < 0)
		return -1;
	return hold(request, true, reason, reply, err);
}

int fleet_resume(struct request *request, struct reply *reply, struct error *err)
{
	return hold(request, false, NULL, reply, err);
}
