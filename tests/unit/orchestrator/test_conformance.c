/* PostgreSQL keeps the promises that the simulation's model of it keeps: one script for both. */
#include <stdlib.h>

#include "core/limits.h"
#include "database.h"
#include "fleet/conformance.h"
#include "orchestrator/fleet_store.h"
#include "tap.h"

struct side {
	struct pg *pg;
	struct fleet_store_pg *store_pg;
	struct fleet_store store;
};

static void side_open(struct side *side, const char *conninfo)
{
	struct error err = {0};

	EXPECT_OK(pg_open(conninfo, &side->pg, &err), err);
	struct fleet_store_options options = {
		.pg = side->pg, .worker_conninfo = conninfo, .name_prefix = "test-"};
	side->store_pg = fleet_store_pg_new(&options, &side->store);
}

static void side_close(struct side *side)
{
	fleet_store_pg_free(side->store_pg);
	pg_free(side->pg);
}

#define SESSIONS_MAX 4

struct hands {
	PGconn *admin;
	const char *conninfo;
	struct {
		int64_t worker_id;
		PGconn *conn; /* closed with the test */
	} sessions[SESSIONS_MAX];
	size_t session_count;
};

static void submit(void *context)
{
	struct hands *hands = context;

	test_do(hands->admin, "SELECT rg.submit(1, NULL, ARRAY['{}'], ARRAY[NULL], ARRAY[NULL], "
			      "ARRAY[0::int2])");
}

/* A session of the worker's own login, while it has one. */
static PGconn *worker_session(struct hands *hands, int64_t worker_id)
{
	const char *login = test_ask(hands->admin, "SELECT login FROM rg.worker WHERE id = %lld",
				     (long long)worker_id);

	if (test_ask_i64(hands->admin, "SELECT count(*) FROM pg_roles WHERE rolname = '%s'",
			 login) == 0)
		return NULL;
	for (size_t i = 0; i < hands->session_count; i++) {
		if (hands->sessions[i].worker_id == worker_id)
			return hands->sessions[i].conn;
	}
	EXPECT(hands->session_count < SESSIONS_MAX);
	PGconn *conn = test_connect(test_conninfo_as(hands->conninfo, login));
	hands->sessions[hands->session_count].worker_id = worker_id;
	hands->sessions[hands->session_count++].conn = conn;
	return conn;
}

static bool join(void *context, int64_t worker_id)
{
	struct hands *hands = context;
	PGconn *session = worker_session(hands, worker_id);

	if (session == NULL)
		return false;
	PGresult *result =
		PQexec(session, "SELECT * FROM rg_worker.join(2, 2000, 4294967296, 'h', 'v', '{}', "
				"decode(repeat('00', 32), 'hex'))");
	bool joined = PQresultStatus(result) == PGRES_TUPLES_OK;
	PQclear(result);
	return joined;
}

static int64_t incarnation(struct hands *hands, int64_t worker_id)
{
	return test_ask_i64(hands->admin, "SELECT incarnation FROM rg.worker WHERE id = %lld",
			    (long long)worker_id);
}

static size_t claim(void *context, int64_t worker_id, size_t want)
{
	struct hands *hands = context;
	PGconn *session = worker_session(hands, worker_id);

	if (session == NULL)
		return 0;
	CLEANUP(cleanup_free)
	char *text = xasprintf("SELECT * FROM rg_worker.step(%lld, '{}', '{}', '{}', '{}', '{}', "
			       "'{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', %zu, 0)",
			       (long long)incarnation(hands, worker_id), want);
	PGresult *result = PQexec(session, text);
	size_t count = PQresultStatus(result) == PGRES_TUPLES_OK ? (size_t)PQntuples(result) : 0;
	PQclear(result);
	return count;
}

static void complete(void *context, int64_t worker_id)
{
	struct hands *hands = context;
	PGconn *session = worker_session(hands, worker_id);
	const char *lease = test_ask(hands->admin,
				     "SELECT format('ARRAY[%%s::bigint], ARRAY[%%s], "
				     "ARRAY[%%s::bigint]', job_id, attempt, token) FROM rg.lease "
				     "WHERE worker_id = %lld LIMIT 1",
				     (long long)worker_id);

	EXPECT(session != NULL);
	test_do(session,
		"SELECT * FROM rg_worker.step(%lld, %s, ARRAY[1::int2], ARRAY[0], ARRAY[''], "
		"ARRAY[true], ARRAY[1000::bigint], ARRAY[0::bigint], ARRAY[0::bigint], "
		"ARRAY[0::bigint], ARRAY[0::bigint], ARRAY[''], 0, 0)",
		(long long)incarnation(hands, worker_id), lease);
}

static int leave(void *context, int64_t worker_id)
{
	struct hands *hands = context;
	PGconn *session = worker_session(hands, worker_id);

	EXPECT(session != NULL);
	return (int)test_ask_i64(session, "SELECT rg_worker.leave(%lld, 'drained', true)",
				 (long long)incarnation(hands, worker_id));
}

static void operator_drain(void *context, int64_t worker_id)
{
	struct hands *hands = context;

	test_do(hands->admin, "SELECT rg.worker_drain(%lld, 'test')", (long long)worker_id);
}

TEST(postgresql_keeps_what_the_model_promises)
{
	CLEANUP(side_close) struct side first = {0};
	CLEANUP(side_close) struct side second = {0};
	struct error err = {0};
	const char *conninfo = test_database();
	struct hands hands = {.admin = test_connect(conninfo), .conninfo = conninfo};
	const char *orchestrator = test_conninfo_as(conninfo, "rgrid_orchestrator");

	test_do(hands.admin, "INSERT INTO rg.project (id, name) VALUES (1, 'p')");
	side_open(&first, orchestrator);
	side_open(&second, orchestrator);
	struct conformance conformance = {.first = &first.store,
					  .second = &second.store,
					  .context = &hands,
					  .submit = submit,
					  .join = join,
					  .claim = claim,
					  .complete = complete,
					  .leave = leave,
					  .operator_drain = operator_drain};
	EXPECT_OK(conformance_run(&conformance, &err), err);
}
