/* GET /api/v1/cost, its limit, and GET /api/v1/estimate. Money is integer micro-euros, net. */
#include <string.h>
#include <time.h>

#include "api/auth.h"
#include "api/job_view.h"
#include "api/page.h"
#include "api/refuse.h"
#include "api/routes.h"
#include "api/server.h"
#include "api/waker.h"
#include "base/check.h"
#include "base/json.h"
#include "base/str.h"
#include "core/limits.h"
#include "core/runtime.h"
#include "store/queries.h"

#define DATE_BYTES	11
#define DAYS_DEFAULT	7
#define ESTIMATE_MICROS INT64_C(60000000) /* of a run, while nothing is known: a minute */

/* "2026-11-23", or the day that lies `days_ago` before today when the parameter is absent. */
static int read_day(const struct request *request, const char *name, unsigned days_ago,
		    char out[DATE_BYTES], struct error *err)
{
	const char *text = query_get(&request->query, name);
	struct tm day = {0};

	if (text != NULL) {
		const char *end = strptime(text, "%Y-%m-%d", &day);
		if (end == NULL || *end != '\0' || strlen(text) != DATE_BYTES - 1)
			return refuse_field(err, name, "must be a day as 2026-11-23");
		memcpy(out, text, DATE_BYTES);
		return 0;
	}
	time_t then = time(NULL) - (time_t)days_ago * 86400;
	CHECK(gmtime_r(&then, &day) != NULL);
	CHECK(strftime(out, DATE_BYTES, "%Y-%m-%d", &day) > 0);
	return 0;
}

static int days_json(const struct request *request, struct pg *pg, json_t **ret, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	char since[DATE_BYTES];
	char until[DATE_BYTES];

	if (read_day(request, "since", DAYS_DEFAULT - 1, since, err) < 0 ||
	    read_day(request, "until", 0, until, err) < 0)
		return -1;
	pg_param_i64(&params, request->who.project_id);
	pg_param_text(&params, since);
	pg_param_text(&params, until);
	if (pg_run(pg, &query_cost_days, &params, &result, err) < 0)
		return -1;
	*ret = json_array();
	for (int row = 0; row < PQntuples(result); row++)
		CHECK(json_array_append_new(*ret,
					    json_pack("{s:o, s:o, s:o, s:o}", "day",
						      column_text(result, row, 0), "attempts",
						      column_number(result, row, 1), "run_us",
						      column_number(result, row, 2), "cost_micros",
						      column_number(result, row, 3))) == 0);
	return 0;
}

enum month_column {
	MONTH_COST,
	MONTH_LIMIT,
	MONTH_STATUS,
	MONTH_RUNNING,
	MONTH_FLEET_PAID,
	MONTH_FLEET_USED,
};

static int month_json(const struct request *request, struct pg *pg, json_t **ret, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;

	pg_param_i64(&params, request->who.project_id);
	if (pg_run(pg, &query_cost_month, &params, &result, err) < 0)
		return -1;
	int64_t paid = pg_get_i64(result, 0, MONTH_FLEET_PAID);
	int64_t used = pg_get_i64(result, 0, MONTH_FLEET_USED);
	*ret = json_pack("{s:o, s:o, s:o, s:s, s:{s:I, s:I, s:I}}", "cost_micros",
			 column_number(result, 0, MONTH_COST), "running_micros",
			 column_number(result, 0, MONTH_RUNNING), "monthly_limit_micros",
			 column_number(result, 0, MONTH_LIMIT), "status",
			 pg_get_text(result, 0, MONTH_STATUS), "fleet", "paid_micros",
			 (json_int_t)paid, "jobs_micros", (json_int_t)used, "idle_micros",
			 (json_int_t)(paid - used));
	CHECK(*ret != NULL);
	return 0;
}

int cost_get(struct request *request, struct reply *reply, struct error *err)
{
	CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request);
	CLEANUP(cleanup_json) json_t *days = NULL;
	json_t *month = NULL;

	if (days_json(request, db.pg, &days, err) < 0 ||
	    month_json(request, db.pg, &month, err) < 0)
		return -1;
	return reply_json(
		reply, MHD_HTTP_OK,
		json_pack("{s:s, s:O, s:o}", "currency", "EUR", "days", days, "month", month));
}

/* {"monthly_limit_micros": 50000000}; null takes the limit away. */
int cost_limit_put(struct request *request, struct reply *reply, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	struct json_reader reader;
	uint64_t micros = 0;
	json_t *month = NULL;
	bool has_limit = !json_is_null(json_object_get(request->json, "monthly_limit_micros"));

	json_reader_init(&reader, request->json, "", err);
	if (has_limit)
		json_require(&reader, "monthly_limit_micros");
	json_read_u64(&reader, "monthly_limit_micros", 0, LIMIT_MONEY_MICROS, &micros);
	if (json_reader_finish(&reader) < 0)
		return -1;
	CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request);
	pg_param_i64(&params, request->who.project_id);
	if (has_limit)
		pg_param_i64(&params, (int64_t)micros);
	else
		pg_param_null(&params);
	if (pg_do(db.pg, &query_cost_limit_set, &params, NULL, err) < 0 ||
	    month_json(request, db.pg, &month, err) < 0)
		return -1;
	auth_forget_project(request->server->auth, request->who.project_id);
	waker_wake(request->server->waker);
	return reply_json(reply, MHD_HTTP_OK, month);
}

enum estimate_column {
	ESTIMATE_MEDIAN_US,
	ESTIMATE_COUNT,
	ESTIMATE_PRICE_HOUR,
	ESTIMATE_HOUR_MS,
	ESTIMATE_SLOTS,
	ESTIMATE_CHOICE,
};

static json_t *estimate_json(const PGresult *result, uint64_t jobs)
{
	bool is_known = pg_get_text_or_null(result, 0, ESTIMATE_MEDIAN_US) != NULL;
	int64_t run_us = is_known ? pg_get_i64(result, 0, ESTIMATE_MEDIAN_US) : ESTIMATE_MICROS;
	int64_t price = pg_get_i64(result, 0, ESTIMATE_PRICE_HOUR);
	int64_t slots = pg_get_i64(result, 0, ESTIMATE_SLOTS);
	int64_t hour_ms = pg_get_i64(result, 0, ESTIMATE_HOUR_MS);
	double hours = (double)run_us * (double)jobs / 1000 / (double)(hour_ms > 0 ? hour_ms : 1);
	double cost = hours * (double)price / (double)(slots > 0 ? slots : 1);

	return json_pack("{s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "jobs", (json_int_t)jobs, "run_us",
			 (json_int_t)run_us, "total_run_us",
			 (json_int_t)((double)run_us * (double)jobs), "cost_micros",
			 (json_int_t)cost, "known_runs", column_number(result, 0, ESTIMATE_COUNT),
			 "server", column_text(result, 0, ESTIMATE_CHOICE), "price_hour_micros",
			 column_number(result, 0, ESTIMATE_PRICE_HOUR));
}

int estimate_get(struct request *request, struct reply *reply, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	const char *runtime = query_get(&request->query, "runtime");
	const char *jobs_text = query_get(&request->query, "jobs");
	uint64_t jobs = 1;

	if (jobs_text != NULL && parse_u64(jobs_text, 1, LIMIT_ESTIMATE_JOBS, &jobs, err) < 0)
		return refuse_value(err, "jobs");
	if (runtime == NULL || runtime_find(runtime) == NULL)
		return refuse_field(err, "runtime", "must be one of the runtimes, as python");
	CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request);
	pg_param_i64(&params, request->who.project_id);
	pg_param_text(&params, runtime);
	if (pg_run(db.pg, &query_cost_estimate, &params, &result, err) < 0)
		return -1;
	return reply_json(reply, MHD_HTTP_OK, estimate_json(result, jobs));
}
