/* GET /metrics, for Prometheus. Answers from memory if asked again within a second: it needs no
 * key, and counting costs the database something. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/followers.h"
#include "api/http_stats.h"
#include "api/request.h"
#include "api/routes.h"
#include "api/server.h"
#include "base/check.h"
#include "base/clock.h"
#include "core/job.h"
#include "core/limits.h"
#include "store/queries.h"

#define TEXT_BYTES_MAX (4 * MIB)
#define FRESH_MS       1000

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_appendf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static int print_queue(struct pg *pg, struct buf *out, struct error *err)
{
	static const char *const kinds[] = {"ready", "delayed", "parked", "leased"};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;

	if (pg_run(pg, &query_metrics_queue, NULL, &result, err) < 0)
		return -1;
	head(out, "rgrid_queue_depth", "gauge",
	     "Jobs that have not ended: ready for a worker, delayed until a retry is due, parked "
	     "by "
	     "their batch's limit, leased to a worker.");
	for (int i = 0; i < (int)ARRAY_SIZE(kinds); i++)
		buf_appendf(out, "rgrid_queue_depth{queue=\"%s\"} %" PRId64 "\n", kinds[i],
			    pg_get_i64(result, 0, i));
	int64_t oldest_ms = pg_get_i64(result, 0, (int)ARRAY_SIZE(kinds));
	head(out, "rgrid_queue_oldest_seconds", "gauge", "Age of the oldest ready job.");
	buf_appendf(out, "rgrid_queue_oldest_seconds %" PRId64 ".%03" PRId64 "\n", oldest_ms / 1000,
		    oldest_ms % 1000);
	return 0;
}

static int print_workers(struct pg *pg, struct buf *out, struct error *err)
{
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	int64_t counts[WORKER_DRAINING + 1] = {0};

	if (pg_run(pg, &query_metrics_workers, NULL, &result, err) < 0)
		return -1;
	for (int row = 0; row < PQntuples(result); row++)
		counts[pg_get_i64(result, row, 0)] = pg_get_i64(result, row, 1);
	head(out, "rgrid_workers", "gauge", "Workers of the fleet.");
	for (enum worker_state state = WORKER_PROVISIONING; state <= WORKER_DRAINING; state++)
		buf_appendf(out, "rgrid_workers{state=\"%s\"} %" PRId64 "\n",
			    worker_state_name(state), counts[state]);
	return 0;
}

static int count_ended(struct server *server, struct pg *pg, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;

	_Static_assert(OUTCOME_MAX <= ARRAY_SIZE(server->ended), "a counter for each outcome");
	if (server->ended_upto_us != 0)
		pg_param_i64(&params, server->ended_upto_us);
	else
		pg_param_null(&params);
	if (pg_run(pg, &query_metrics_ended, &params, &result, err) < 0)
		return -1;
	for (int row = 0; row < PQntuples(result); row++)
		server->ended[pg_get_i64(result, row, 1)] += (uint64_t)pg_get_i64(result, row, 2);
	server->ended_upto_us = pg_get_i64(result, 0, 0);
	return 0;
}

static int print_ended(struct server *server, struct pg *pg, struct buf *out, struct error *err)
{
	if (count_ended(server, pg, err) < 0)
		return -1;
	head(out, "rgrid_attempts_ended_total", "counter",
	     "Attempts that ended since this process was first asked, at least five seconds ago.");
	for (enum outcome outcome = OUTCOME_COMPLETED; outcome < OUTCOME_MAX; outcome++)
		buf_appendf(out, "rgrid_attempts_ended_total{outcome=\"%s\"} %" PRIu64 "\n",
			    outcome_name(outcome), server->ended[outcome]);
	return 0;
}

static int print_all(struct request *request, struct buf *out, struct error *err)
{
	CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request);
	struct server *server = request->server;

	head(out, "rgrid_build_info", "gauge", "The program.");
	buf_append_str(out, "rgrid_build_info{version=\"" RGRID_VERSION "\"} 1\n");
	if (print_queue(db.pg, out, err) < 0 || print_workers(db.pg, out, err) < 0 ||
	    print_ended(server, db.pg, out, err) < 0)
		return -1;
	head(out, "rgrid_http_requests_active", "gauge", "Requests being answered, streams too.");
	buf_appendf(out, "rgrid_http_requests_active %zu\n", atomic_load(&server->active));
	head(out, "rgrid_log_followers", "gauge", "Open event streams.");
	buf_appendf(out, "rgrid_log_followers %zu\n", followers_count(server->followers));
	http_stats_print(server->stats, out);
	CHECK(!out->overflowed);
	return 0;
}

/* Under the mutex. */
static int refresh(struct request *request, struct error *err)
{
	struct server *server = request->server;
	uint64_t now_ms = clock_boottime_ms();
	CLEANUP(cleanup_buf) struct buf text = {0};

	if (server->metrics_text != NULL && now_ms - server->metrics_ms < FRESH_MS)
		return 0;
	buf_init(&text, TEXT_BYTES_MAX);
	if (print_all(request, &text, err) < 0)
		return -1;
	free(server->metrics_text);
	server->metrics_text = buf_detach(&text);
	server->metrics_ms = now_ms;
	return 0;
}

int metrics_get(struct request *request, struct reply *reply, struct error *err)
{
	struct server *server = request->server;

	CHECK(pthread_mutex_lock(&server->metrics_mutex) == 0);
	int result = refresh(request, err);
	char *text = result == 0 ? xstrdup(server->metrics_text) : NULL;
	CHECK(pthread_mutex_unlock(&server->metrics_mutex) == 0);
	if (result < 0)
		return -1;
	reply_header(reply, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain; version=0.0.4");
	return reply_response(
		reply, MHD_HTTP_OK,
		MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE));
}
