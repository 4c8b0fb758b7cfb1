#include "orchestrator/fleet_store.h"

#include <stdlib.h>

#include "conf/conninfo.h"
#include "database.h"
#include "tap.h"

struct bench {
	const char *conninfo; /* as the orchestrator */
	PGconn *admin;
	struct pg *pg;
};

static struct bench bench_new(void)
{
	struct bench bench;
	const char *conninfo = test_database();
	struct error err = {0};
	bench.admin = test_connect(conninfo);
	bench.conninfo = test_conninfo_as(conninfo, "rgrid_orchestrator");
	EXPECT_OK(pg_open(bench.conninfo, &bench.pg, &err), err);
	return bench;
}

static void bench_release(struct bench *bench)
{
	pg_free(bench->pg);
}

static int64_t create(const struct bench *bench, struct buf *conninfo)
{
	struct error err = {0};
	CLEANUP(cleanup_free) char *name = NULL;
	int64_t id = 0;
	EXPECT_OK(fleet_store_create(bench->pg, bench->conninfo, &id, &name, conninfo, &err), err);
	EXPECT(strlen(name) > strlen("local-"));
	return id;
}

/* Reads the fleet and finds one worker in it; NULL if it is not there. */
static const struct fleet_worker *find(const struct bench *bench, struct fleet_world *world,
				       int64_t id)
{
	struct error err = {0};
	EXPECT_OK(fleet_store_read(bench->pg, world, &err), err);
	for (size_t i = 0; i < world->worker_count; i++) {
		if (world->workers[i].id == id)
			return &world->workers[i];
	}
	return NULL;
}

TEST(a_new_worker_has_a_row_and_a_login_that_works)
{
	static struct fleet_world world;
	CLEANUP(bench_release) struct bench bench = bench_new();
	CLEANUP(cleanup_buf) struct buf conninfo;
	buf_init(&conninfo, CONNINFO_BYTES_MAX);
	int64_t id = create(&bench, &conninfo);
	const struct fleet_worker *worker = find(&bench, &world, id);
	EXPECT(worker != NULL);
	EXPECT_INT(worker->state, WORKER_PROVISIONING);
	EXPECT(worker->silent_ms < 60000);

	PGconn *login = test_connect(conninfo.data);
	EXPECT_STR(test_ask_error(login, "SELECT * FROM rg.worker"), "42501");
	EXPECT_INT(
		test_ask_i64(login,
			     "SELECT worker_id FROM rg_worker.join(1, 1000, 1000, 'h', 'v', '{}',"
			     " decode(repeat('00', 32), 'hex'))"),
		id);
	EXPECT_INT(find(&bench, &world, id)->state, WORKER_ACTIVE);
}

TEST(an_ended_worker_is_gone_with_its_login)
{
	static struct fleet_world world;
	CLEANUP(bench_release) struct bench bench = bench_new();
	CLEANUP(cleanup_buf) struct buf conninfo;
	struct error err = {0};
	int64_t lost = -1;
	buf_init(&conninfo, CONNINFO_BYTES_MAX);
	int64_t id = create(&bench, &conninfo);
	for (int i = 0; i < 2; i++) { /* it may be repeated */
		EXPECT_OK(fleet_store_end(bench.pg, id, "for a test", WORKER_FAILED, &lost, &err),
			  err);
		EXPECT_INT(lost, 0);
	}
	EXPECT(find(&bench, &world, id) == NULL);
	EXPECT_STR(test_ask(bench.admin, "SELECT reason FROM rg.worker WHERE id = %lld",
			    (long long)id),
		   "for a test");
	EXPECT_INT(test_ask_i64(bench.admin,
				"SELECT count(*) FROM pg_roles WHERE rolname LIKE 'rgrid_w%%%lld'",
				(long long)id),
		   0);
}

TEST(draining_is_seen_and_comes_too_late_for_the_ended)
{
	static struct fleet_world world;
	CLEANUP(bench_release) struct bench bench = bench_new();
	CLEANUP(cleanup_buf) struct buf conninfo;
	struct error err = {0};
	int64_t lost = 0;
	buf_init(&conninfo, CONNINFO_BYTES_MAX);
	int64_t id = create(&bench, &conninfo);
	EXPECT_OK(fleet_store_drain(bench.pg, id, &err), err);
	EXPECT_INT(find(&bench, &world, id)->state, WORKER_DRAINING);
	EXPECT_OK(fleet_store_end(bench.pg, id, "done", WORKER_TERMINATED, &lost, &err), err);
	EXPECT_ERR(fleet_store_drain(bench.pg, id, &err), err, ERR_CONFLICT);
}

TEST(one_leads_until_its_session_ends)
{
	CLEANUP(bench_release) struct bench bench = bench_new();
	struct pg *other = NULL;
	struct error err = {0};
	bool leads = false;
	EXPECT_OK(pg_open(bench.conninfo, &other, &err), err);
	for (int i = 0; i < 3; i++) { /* asking again is harmless */
		EXPECT_OK(fleet_store_lead(bench.pg, &leads, &err), err);
		EXPECT(leads);
	}
	EXPECT_OK(fleet_store_lead(other, &leads, &err), err);
	EXPECT(!leads);
	pg_free(TAKE_PTR(bench.pg));
	for (int i = 0; i < 1000 && !leads; i++) /* the server takes a moment to notice */
		EXPECT_OK(fleet_store_lead(other, &leads, &err), err);
	EXPECT(leads);
	pg_free(other);
}

TEST(upkeep_says_whether_there_is_more_to_come)
{
	CLEANUP(bench_release) struct bench bench = bench_new();
	struct fleet_upkeep upkeep = {0};
	struct error err = {0};
	EXPECT_OK(fleet_store_upkeep(bench.pg, &upkeep, &err), err);
	EXPECT(!upkeep.busy && !upkeep.woken);
	test_do(bench.admin, "INSERT INTO rg.delayed (job_id, attempt, run_at, reason)"
			     " VALUES (1, 1, now() + interval '1 h', 'later')");
	EXPECT_OK(fleet_store_upkeep(bench.pg, &upkeep, &err), err);
	EXPECT(upkeep.busy && !upkeep.woken);
	test_do(bench.admin, "UPDATE rg.delayed SET run_at = now()");
	EXPECT_OK(fleet_store_upkeep(bench.pg, &upkeep, &err), err);
	EXPECT(upkeep.busy && upkeep.woken);
}

TEST(why_something_was_done_is_an_event)
{
	CLEANUP(bench_release) struct bench bench = bench_new();
	struct error err = {0};
	EXPECT_OK(fleet_store_note(bench.pg, "worker.create", 7, 111, "because", &err), err);
	EXPECT_STR(test_ask(bench.admin,
			    "SELECT format('%%s %%s %%s', kind, rule, reason) FROM rg.event"
			    " WHERE worker_id = 7"),
		   "worker.create 111 because");
}
