#include "grid.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "store/migrate.h"
#include "store/pg.h"
#include "store/queries.h"

static const struct pg_statement ask_counts = {
	.name = "bench_counts",
	.sql = "SELECT (SELECT count(*) FROM rg.attempt WHERE outcome = 1 AND final),"
	       " (SELECT count(*) FROM rg.ready), (SELECT count(*) FROM rg.lease)",
};

static int make_project(struct pg *pg, int64_t *ret, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;

	pg_param_text(&params, "bench");
	if (pg_run(pg, &query_account_project_ensure, &params, &result, err) < 0)
		return -1;
	*ret = pg_get_i64(result, 0, 0);
	return 0;
}

static int make_worker(struct pg *pg, const char *conninfo, size_t index, char **ret,
		       struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	char name[32];

	(void)snprintf(name, sizeof(name), "bench-%zu", index);
	pg_param_text(&params, name);
	pg_param_text(&params, "unused: the cluster trusts its socket");
	if (pg_run(pg, &query_orchestrator_worker_create, &params, &result, err) < 0)
		return -1;
	/* Of a keyword given twice, libpq takes the last. */
	*ret = xasprintf("%s user=%s", conninfo, pg_get_text(result, 0, 1));
	return 0;
}

int grid_init(struct grid *grid, const char *conninfo, size_t workers, struct error *err)
{
	CLEANUP(cleanup_pg) struct pg *pg = NULL;

	CHECK(workers <= GRID_WORKERS_MAX);
	*grid = (struct grid){.conninfo = conninfo};
	if (migrate_run(conninfo, err) < 0 || pg_open(conninfo, &pg, err) < 0 ||
	    make_project(pg, &grid->project, err) < 0)
		return -1;
	for (; grid->worker_count < workers; grid->worker_count++) {
		size_t index = grid->worker_count;

		if (make_worker(pg, conninfo, index, &grid->worker_conninfo[index], err) < 0)
			return -1;
	}
	return 0;
}

void grid_release(struct grid *grid)
{
	for (size_t i = 0; i < grid->worker_count; i++)
		free(grid->worker_conninfo[i]);
	*grid = (struct grid){0};
}

int grid_settle(const struct grid *grid, struct error *err)
{
	CLEANUP(cleanup_pg) struct pg *pg = NULL;

	if (pg_open(grid->conninfo, &pg, err) < 0 || pg_run_script(pg, "VACUUM ANALYZE", err) < 0)
		return -1;
	return pg_run_script(pg, "CHECKPOINT", err);
}

int grid_expect(const struct grid *grid, uint64_t ended, uint64_t ready, uint64_t leased,
		struct error *err)
{
	const struct pg_params none = {0};
	CLEANUP(cleanup_pg) struct pg *pg = NULL;
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	int64_t found[3];

	if (pg_open(grid->conninfo, &pg, err) < 0 ||
	    pg_run(pg, &ask_counts, &none, &result, err) < 0)
		return -1;
	for (int i = 0; i < 3; i++)
		found[i] = pg_get_i64(result, 0, i);
	if (found[0] == (int64_t)ended && found[1] == (int64_t)ready && found[2] == (int64_t)leased)
		return 0;
	return error_set(err, ERR_INTERNAL,
			 "%" PRId64 " jobs completed, %" PRId64 " ready, %" PRId64
			 " leased; expected %" PRIu64 ", %" PRIu64 ", %" PRIu64,
			 found[0], found[1], found[2], ended, ready, leased);
}
