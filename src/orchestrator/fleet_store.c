#include "orchestrator/fleet_store.h"

#include "base/check.h"
#include "base/encode.h"
#include "base/rand.h"
#include "conf/conninfo.h"
#include "store/queries.h"

#define PASSWORD_CHARS 32
#define NAME_CHARS     8

int fleet_store_lead(struct pg *pg, bool *ret_leads, struct error *err)
{
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	if (pg_run(pg, &query_orchestrator_lead, NULL, &result, err) < 0)
		return -1;
	*ret_leads = pg_get_bool(result, 0, 0);
	return 0;
}

int fleet_store_read(struct pg *pg, struct fleet_world *ret, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	pg_param_i64(&params, FLEET_WORKERS_MAX);
	if (pg_run(pg, &query_orchestrator_workers, &params, &result, err) < 0)
		return -1;
	fleet_world_clear(ret);
	for (int row = 0; row < PQntuples(result); row++) {
		struct fleet_worker *worker = fleet_world_add_worker(ret);
		CHECK(worker != NULL); /* the statement is limited to as many */
		worker->id = pg_get_i64(result, row, 0);
		worker->state = (enum worker_state)pg_get_i64(result, row, 1);
		worker->silent_ms = (uint64_t)pg_get_i64(result, row, 2);
		worker->joined_us = worker->state == WORKER_PROVISIONING ? 0 : 1;
	}
	return 0;
}

int fleet_store_wake(struct pg *pg, struct error *err)
{
	return pg_do(pg, &query_orchestrator_wake, NULL, NULL, err);
}

int fleet_store_upkeep(struct pg *pg, struct fleet_upkeep *ret, struct error *err)
{
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	if (pg_run(pg, &query_orchestrator_tick, NULL, &result, err) < 0)
		return -1;
	ret->rescued_count = pg_get_i64(result, 0, 1);
	ret->busy = pg_get_bool(result, 0, 3);
	ret->woken = pg_get_i64(result, 0, 0) + ret->rescued_count + pg_get_i64(result, 0, 2) > 0;
	return ret->woken ? fleet_store_wake(pg, err) : 0;
}

int fleet_store_create(struct pg *pg, const char *conninfo, int64_t *ret_id, char **ret_name,
		       struct buf *ret_conninfo, struct error *err)
{
	char password[PASSWORD_CHARS + 1];
	char suffix[NAME_CHARS + 1];
	base62_random(password, PASSWORD_CHARS);
	base62_random(suffix, NAME_CHARS);
	CLEANUP(cleanup_free) char *name = xasprintf("local-%s", suffix);
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	pg_param_text(&params, name);
	pg_param_text(&params, password);
	if (pg_run(pg, &query_orchestrator_worker_create, &params, &result, err) < 0 ||
	    conninfo_with_login(conninfo, pg_get_text(result, 0, 1), password, ret_conninfo, err) <
		    0)
		return -1;
	*ret_id = pg_get_i64(result, 0, 0);
	*ret_name = TAKE_PTR(name);
	return 0;
}

int fleet_store_end(struct pg *pg, int64_t worker_id, const char *reason, enum worker_state state,
		    int64_t *ret_lost, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	pg_param_i64(&params, worker_id);
	pg_param_text(&params, reason);
	pg_param_i64(&params, (int64_t)state);
	if (pg_run(pg, &query_orchestrator_worker_dead, &params, &result, err) < 0)
		return -1;
	*ret_lost = pg_get_i64(result, 0, 0);
	return 0;
}

int fleet_store_drain(struct pg *pg, int64_t worker_id, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	pg_param_i64(&params, worker_id);
	return pg_do(pg, &query_orchestrator_worker_drain, &params, NULL, err);
}

int fleet_store_note(struct pg *pg, const char *kind, int64_t worker_id, int rule,
		     const char *reason, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	pg_param_text(&params, kind);
	pg_param_i64(&params, worker_id);
	pg_param_i64(&params, rule);
	pg_param_text(&params, reason);
	return pg_do(pg, &query_orchestrator_event, &params, NULL, err);
}
