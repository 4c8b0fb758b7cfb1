/* PostgreSQL keeps the promises that the simulation's model of it keeps: one script for both. */
#include <stdarg.h>
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

#define SESSIONS_MAX 16

struct hands {
	PGconn *admin;
	const char *conninfo;
	struct side *second;
	int64_t listening_us; /* for how long */
	struct {
		int64_t worker_id;
		PGconn *conn; /* closed with the test */
	} sessions[SESSIONS_MAX];
	size_t session_count;
};

static int64_t add_batch(void *context, uint32_t limit)
{
	struct hands *hands = context;

	return test_ask_i64(hands->admin,
			    "INSERT INTO rg.batch (id, project_id, parallel_limit) "
			    "VALUES (rg.new_id(), 1, %u) RETURNING id",
			    limit);
}

static int64_t submit(void *context, int64_t batch)
{
	struct hands *hands = context;

	return test_ask_i64(hands->admin,
			    "SELECT rg.submit(1, nullif(%lld::bigint, 0), ARRAY['{}'], "
			    "ARRAY[NULL], ARRAY[NULL], ARRAY[0::int2])",
			    (long long)batch);
}

static int cancel(void *context, int64_t job)
{
	struct hands *hands = context;

	return (int)test_ask_i64(hands->admin, "SELECT rg.cancel_job(1, %lld)", (long long)job);
}

static void look_at(void *context, int64_t job, struct conformance_job *ret)
{
	struct hands *hands = context;
	long long id = job;

	*ret = (struct conformance_job){
		.losses = (uint32_t)test_ask_i64(
			hands->admin,
			"SELECT count(*) FROM rg.attempt WHERE job_id = %lld AND outcome = 6", id),
		.results = (uint32_t)test_ask_i64(
			hands->admin,
			"SELECT count(*) FROM rg.attempt WHERE job_id = %lld AND final", id),
		.attempt = (int32_t)test_ask_i64(
			hands->admin,
			"SELECT coalesce(max(attempt), 0) FROM ("
			"SELECT job_id, attempt FROM rg.ready UNION ALL "
			"SELECT job_id, attempt FROM rg.delayed UNION ALL "
			"SELECT job_id, attempt FROM rg.parked UNION ALL "
			"SELECT job_id, attempt FROM rg.lease) AS p WHERE job_id = %lld",
			id)};
	/* In the order of enum model_place. */
	ret->place = (enum model_place)test_ask_i64(
		hands->admin,
		"SELECT CASE WHEN count(*) = 1 THEN max(place) ELSE 0 END FROM ("
		"SELECT 1 AS place, job_id FROM rg.ready UNION ALL "
		"SELECT 2, job_id FROM rg.delayed UNION ALL "
		"SELECT 3, job_id FROM rg.parked UNION ALL "
		"SELECT 4, job_id FROM rg.lease UNION ALL "
		"SELECT CASE outcome WHEN 1 THEN 5 WHEN 6 THEN 6 WHEN 5 THEN 7 END, job_id FROM "
		"rg.attempt "
		"WHERE final) AS p WHERE job_id = %lld",
		id);
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

/* As the worker; NULL if it is refused for what it is. */
__attribute__((format(printf, 3, 4))) static PGresult *call(struct hands *hands, int64_t worker_id,
							    const char *format, ...)
{
	PGconn *session = worker_session(hands, worker_id);
	char text[1024];
	va_list arguments;

	if (session == NULL)
		return NULL;
	va_start(arguments, format);
	EXPECT((size_t)vsnprintf(text, sizeof(text), format, arguments) < sizeof(text));
	va_end(arguments);
	PGresult *result = PQexec(session, text);
	if (PQresultStatus(result) == PGRES_TUPLES_OK)
		return result;
	EXPECT_STR(PQresultErrorField(result, PG_DIAG_SQLSTATE), "RG403");
	PQclear(result);
	return NULL;
}

static int64_t get(const PGresult *result, int row, const char *column)
{
	return strtoll(PQgetvalue(result, row, PQfnumber(result, column)), NULL, 10);
}

static bool join(void *context, int64_t worker_id, uint32_t *ret_incarnation)
{
	CLEANUP(cleanup_pgresult)
	PGresult *result = call(context, worker_id,
				"SELECT * FROM rg_worker.join(2, 2000, 4294967296, 'h', 'v', '{}', "
				"decode(repeat('00', 32), 'hex'))");

	if (result != NULL)
		*ret_incarnation = (uint32_t)get(result, 0, "incarnation");
	return result != NULL;
}

static int claim(void *context, int64_t worker_id, uint32_t incarnation, size_t want,
		 struct conformance_lease *ret)
{
	CLEANUP(cleanup_pgresult)
	PGresult *result = call(context, worker_id,
				"SELECT * FROM rg_worker.step(%u, '{}', '{}', '{}', '{}', '{}', "
				"'{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', %zu, 0)",
				incarnation, want);

	if (result == NULL)
		return -1;
	for (int i = 0; i < PQntuples(result); i++) {
		EXPECT_INT(get(result, i, "kind"), 2);
		ret[i] = (struct conformance_lease){.job = get(result, i, "job_id"),
						    .attempt = (int32_t)get(result, i, "attempt"),
						    .token = get(result, i, "token")};
	}
	return PQntuples(result);
}

static int complete(void *context, int64_t worker_id, uint32_t incarnation,
		    const struct conformance_lease *lease, bool is_cancelled)
{
	CLEANUP(cleanup_pgresult)
	PGresult *result =
		call(context, worker_id,
		     "SELECT * FROM rg_worker.step(%u, ARRAY[%lld::bigint], ARRAY[%d], "
		     "ARRAY[%lld::bigint], ARRAY[%d::int2], ARRAY[0], ARRAY[''], ARRAY[true], "
		     "ARRAY[1000::bigint], ARRAY[0::bigint], ARRAY[0::bigint], "
		     "ARRAY[0::bigint], ARRAY[0::bigint], ARRAY[''], 0, 0)",
		     incarnation, (long long)lease->job, lease->attempt, (long long)lease->token,
		     is_cancelled ? 5 : 1);

	return result == NULL ? CONFORMANCE_REFUSED : (int)get(result, 0, "verdict");
}

static bool give_back(void *context, int64_t worker_id, uint32_t incarnation,
		      const struct conformance_lease *lease)
{
	CLEANUP(cleanup_pgresult)
	PGresult *result =
		call(context, worker_id,
		     "SELECT rg_worker.release(%u, ARRAY[%lld::bigint], ARRAY[%d], "
		     "ARRAY[%lld::bigint])",
		     incarnation, (long long)lease->job, lease->attempt, (long long)lease->token);

	return result != NULL;
}

static bool beat(void *context, int64_t worker_id, uint32_t incarnation,
		 const struct conformance_lease *leases, size_t count, enum model_wish *ret_wishes,
		 bool *ret_drain)
{
	const struct conformance_lease none = {0};
	const struct conformance_lease *lease = count > 0 ? leases : &none;
	CLEANUP(cleanup_pgresult)
	PGresult *result = call(context, worker_id,
				"SELECT coalesce(job_id, 0) AS job_id, drain, cancelled "
				"FROM rg_worker.heartbeat(%u, (ARRAY[%lld::bigint])[1:%zu], "
				"(ARRAY[%d])[1:%zu], (ARRAY[%lld::bigint])[1:%zu])",
				incarnation, (long long)lease->job, count, lease->attempt, count,
				(long long)lease->token, count);

	EXPECT(count <= 1);
	if (result == NULL)
		return false;
	*ret_drain = PQgetvalue(result, 0, 1)[0] == 't';
	if (count == 0)
		return true;
	if (PQntuples(result) == 1) {
		*ret_wishes = MODEL_GO_ON;
		return true;
	}
	EXPECT_INT(get(result, 1, "job_id"), lease->job);
	*ret_wishes = PQgetvalue(result, 1, 2)[0] == 't' ? MODEL_CANCEL : MODEL_STOP;
	return true;
}

static int leave(void *context, int64_t worker_id, uint32_t incarnation)
{
	CLEANUP(cleanup_pgresult)
	PGresult *result =
		call(context, worker_id, "SELECT rg_worker.leave(%u, 'drained', true) AS leaving",
		     incarnation);

	return result == NULL ? CONFORMANCE_REFUSED : (int)get(result, 0, "leaving");
}

static void operator_drain(void *context, int64_t worker_id)
{
	struct hands *hands = context;

	test_do(hands->admin, "SELECT rg.worker_drain(%lld, 'test')", (long long)worker_id);
}

static void operator_undrain(void *context, int64_t worker_id)
{
	struct hands *hands = context;

	test_do(hands->admin, "SELECT rg.worker_undrain(%lld, 'test')", (long long)worker_id);
}

static void listen_for(struct hands *hands, int64_t us)
{
	hands->listening_us = us;
	test_do(hands->admin,
		"CREATE OR REPLACE FUNCTION rg.listening_since() RETURNS timestamptz LANGUAGE "
		"plpgsql AS $$BEGIN RETURN now() - %lld * interval '1 microsecond'; END$$",
		(long long)us);
}

/* Nobody can wait for that long: instead, everything becomes older. */
static void pass(void *context, int64_t us)
{
	struct hands *hands = context;
	long long age = us;

	listen_for(hands, hands->listening_us + us);
	test_do(hands->admin,
		"UPDATE rg.worker SET last_seen = last_seen - %lld * interval '1 microsecond'",
		age);
	test_do(hands->admin,
		"UPDATE rg.lease SET claimed_at = claimed_at - %lld * interval '1 microsecond'",
		age);
	test_do(hands->admin,
		"UPDATE rg.delayed SET run_at = run_at - %lld * interval '1 microsecond'", age);
	test_do(hands->admin,
		"UPDATE rg.leader SET until_at = until_at - %lld * interval '1 microsecond'", age);
}

static void restart(void *context)
{
	listen_for(context, 0);
}

static void hang_up_second(void *context)
{
	struct hands *hands = context;

	side_close(hands->second);
	*hands->second = (struct side){0};
	/* Its backend ends in a moment. */
	while (test_ask_i64(hands->admin, "SELECT count(*) FROM pg_stat_activity "
					  "WHERE usename = 'rgrid_orchestrator' AND datname = "
					  "current_database()") > 1)
		;
}

TEST(postgresql_keeps_what_the_model_promises)
{
	CLEANUP(side_close) struct side first = {0};
	CLEANUP(side_close) struct side second = {0};
	struct error err = {0};
	const char *conninfo = test_database();
	struct hands hands = {
		.admin = test_connect(conninfo), .conninfo = conninfo, .second = &second};
	const char *orchestrator = test_conninfo_as(conninfo, "rgrid_orchestrator");

	test_do(hands.admin, "INSERT INTO rg.project (id, name) VALUES (1, 'p')");
	listen_for(&hands, 0);
	side_open(&first, orchestrator);
	side_open(&second, orchestrator);
	struct conformance conformance = {.first = &first.store,
					  .second = &second.store,
					  .context = &hands,
					  .add_batch = add_batch,
					  .submit = submit,
					  .cancel = cancel,
					  .look_at = look_at,
					  .join = join,
					  .claim = claim,
					  .complete = complete,
					  .give_back = give_back,
					  .beat = beat,
					  .leave = leave,
					  .operator_drain = operator_drain,
					  .operator_undrain = operator_undrain,
					  .pass = pass,
					  .restart = restart,
					  .hang_up_second = hang_up_second};
	EXPECT_OK(conformance_run(&conformance, &err), err);
}
