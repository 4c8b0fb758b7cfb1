#include "orchestrator/fleet_store.h"

#include <stdlib.h>

#include "database.h"
#include "tap.h"

#define NOTE	(&(struct fleet_note){.rule = 111, .reason = "for a test", .key = "key"})
#define HOUR_US INT64_C(3600000000)

struct bench {
	const char *conninfo; /* as the orchestrator */
	PGconn *admin;
	struct pg *pg;
	struct fleet_store_pg *store_pg;
	struct fleet_store store;
	struct fleet_world world;
	int64_t fence;
};

static bool leads(struct bench *bench)
{
	struct fleet_lead lead = {0};
	struct error err = {0};
	EXPECT_OK(bench->store.lead(bench->store.context, &lead, &err), err);
	bench->fence = lead.fence;
	EXPECT(lead.now_us > 0);
	return lead.leads;
}

static void bench_open(struct bench *bench)
{
	struct error err = {0};
	EXPECT_OK(pg_open(bench->conninfo, &bench->pg, &err), err);
	struct fleet_store_options options = {.pg = bench->pg,
					      .worker_conninfo = bench->conninfo,
					      .name_prefix = "test-",
					      .sized = true,
					      .hour_ms = 60000};
	bench->store_pg = fleet_store_pg_new(&options, &bench->store);
	fleet_world_init(&bench->world);
}

static struct bench bench_new(void)
{
	struct bench bench = {0};
	const char *conninfo = test_database();
	bench.admin = test_connect(conninfo);
	bench.conninfo = test_conninfo_as(conninfo, "rgrid_orchestrator");
	bench_open(&bench);
	EXPECT(leads(&bench));
	return bench;
}

static void bench_release(struct bench *bench)
{
	fleet_world_release(&bench->world);
	fleet_store_pg_free(bench->store_pg);
	pg_free(bench->pg);
}

static void observe(struct bench *bench)
{
	struct error err = {0};
	fleet_world_clear(&bench->world);
	EXPECT_OK(bench->store.observe(bench->store.context, &bench->world, &err), err);
}

static struct fleet_intent intend(struct bench *bench)
{
	struct fleet_choice choice = {.server_type = "cx23",
				      .location = "nbg1",
				      .cpu_millis = 2000,
				      .memory_bytes = 4 * GIB,
				      .price_hour_micros = 8800};
	struct fleet_intent intent = {0};
	struct error err = {0};
	EXPECT_OK(bench->store.intend(bench->store.context, bench->fence, &choice, 2, NOTE, &intent,
				      &err),
		  err);
	return intent;
}

/* Looks at the fleet and finds one worker in it; NULL if it is not there. */
static const struct fleet_worker *find(struct bench *bench, int64_t id)
{
	observe(bench);
	for (size_t i = 0; i < bench->world.worker_count; i++) {
		if (bench->world.workers[i].id == id)
			return &bench->world.workers[i];
	}
	return NULL;
}

static PGconn *join(const struct fleet_intent *intent)
{
	PGconn *login = test_connect(intent->login);
	EXPECT_INT(test_ask_i64(login,
				"SELECT worker_id FROM rg_worker.join(2, 2000, 1000, 'h', 'v',"
				" '{}', decode(repeat('00', 32), 'hex'))"),
		   intent->worker_id);
	return login;
}

static int64_t end(struct bench *bench, int64_t id, enum worker_state state)
{
	struct error err = {0};
	int64_t requeued = -1;
	EXPECT_OK(bench->store.end(bench->store.context, bench->fence, id, state, false, NOTE,
				   &requeued, &err),
		  err);
	return requeued;
}

static void record_server(struct bench *bench, int64_t id, int64_t server_id, int64_t created_us)
{
	struct fleet_pending pending = {.worker_id = id,
					.server_id = server_id,
					.action_ids = {7, 8, 9},
					.action_count = 3};
	struct error err = {0};
	EXPECT_OK(bench->store.record_server(bench->store.context, bench->fence, &pending,
					     created_us, NOTE, &err),
		  err);
}

TEST(an_intent_is_a_row_and_a_login_that_works)
{
	CLEANUP(bench_release) struct bench bench = bench_new();
	struct fleet_intent intent = intend(&bench);
	const struct fleet_worker *worker = find(&bench, intent.worker_id);
	EXPECT(worker != NULL);
	EXPECT_INT(worker->state, WORKER_PROVISIONING);
	EXPECT_INT(worker->slots, 2);
	EXPECT_INT(worker->price_hour_micros, 8800);
	EXPECT_STR(worker->server_type, "cx23");
	EXPECT_STR(worker->location, "nbg1");
	EXPECT_INT(worker->server_id, 0);
	EXPECT(worker->silent_ms < 60000);
	EXPECT(strlen(intent.name) > strlen("test-"));

	PGconn *login = join(&intent);
	EXPECT_STR(test_ask_error(login, "SELECT * FROM rg.worker"), "42501");
	EXPECT_INT(find(&bench, intent.worker_id)->state, WORKER_ACTIVE);
	EXPECT(find(&bench, intent.worker_id)->joined_us > 0);
	free(intent.login);
}

TEST(a_server_is_recorded_once_with_its_actions)
{
	CLEANUP(bench_release) struct bench bench = bench_new();
	struct fleet_intent intent = intend(&bench);
	struct fleet_pending other = {.worker_id = intent.worker_id, .server_id = 43};
	struct error err = {0};
	record_server(&bench, intent.worker_id, 42, HOUR_US);
	record_server(&bench, intent.worker_id, 42, HOUR_US);
	EXPECT_ERR(
		bench.store.record_server(bench.store.context, bench.fence, &other, 1, NOTE, &err),
		err, ERR_CONFLICT);
	const struct fleet_worker *worker = find(&bench, intent.worker_id);
	EXPECT_INT(worker->server_id, 42);
	EXPECT_INT(worker->server_created_us, HOUR_US);
	EXPECT_INT(worker->operation, FLEET_OPERATION_RUNNING);
	EXPECT_INT(bench.world.pending_count, 1);
	EXPECT_INT(bench.world.pendings[0].action_count, 3);
	EXPECT_INT(bench.world.pendings[0].action_ids[2], 9);
	EXPECT_OK(bench.store.settle(bench.store.context, bench.fence, intent.worker_id, true, "no",
				     &err),
		  err);
	EXPECT_INT(find(&bench, intent.worker_id)->operation, FLEET_OPERATION_FAILED);
	EXPECT_INT(bench.world.pending_count, 0);
	free(intent.login);
}

TEST(an_ended_worker_loses_its_login_and_is_seen_until_its_server_is_gone)
{
	CLEANUP(bench_release) struct bench bench = bench_new();
	struct fleet_intent intent = intend(&bench);
	struct error err = {0};
	record_server(&bench, intent.worker_id, 42, HOUR_US);
	for (int i = 0; i < 2; i++) /* it may be repeated */
		EXPECT_INT(end(&bench, intent.worker_id, WORKER_FAILED), 0);
	EXPECT_STR(test_ask(bench.admin, "SELECT reason FROM rg.worker WHERE id = %lld",
			    (long long)intent.worker_id),
		   "for a test");
	EXPECT_INT(test_ask_i64(bench.admin,
				"SELECT count(*) FROM pg_roles WHERE rolname LIKE 'rgrid_w%%%lld'",
				(long long)intent.worker_id),
		   0);
	EXPECT_OK(bench.store.server_deleting(bench.store.context, bench.fence, intent.worker_id,
					      5000000, &err),
		  err);
	EXPECT_INT(find(&bench, intent.worker_id)->state, WORKER_FAILED);
	EXPECT_INT(find(&bench, intent.worker_id)->delete_us, 5000000);
	EXPECT_OK(bench.store.server_gone(bench.store.context, bench.fence, intent.worker_id, NOTE,
					  &err),
		  err);
	EXPECT(find(&bench, intent.worker_id) == NULL);
	free(intent.login);
}

TEST(draining_is_taken_back_and_comes_too_late_for_the_ended)
{
	CLEANUP(bench_release) struct bench bench = bench_new();
	struct fleet_intent intent = intend(&bench);
	struct error err = {0};
	void *context = bench.store.context;
	EXPECT_OK(bench.store.drain(context, bench.fence, intent.worker_id, FLEET_DRAIN_IDLE, NOTE,
				    &err),
		  err);
	EXPECT_INT(find(&bench, intent.worker_id)->state, WORKER_DRAINING);
	EXPECT_INT(find(&bench, intent.worker_id)->drain, FLEET_DRAIN_IDLE);
	EXPECT(find(&bench, intent.worker_id)->drain_us > 0);
	EXPECT_OK(bench.store.undrain(context, bench.fence, intent.worker_id, NOTE, &err), err);
	EXPECT_INT(find(&bench, intent.worker_id)->state, WORKER_PROVISIONING);
	EXPECT_ERR(bench.store.undrain(context, bench.fence, intent.worker_id, NOTE, &err), err,
		   ERR_CONFLICT);
	(void)join(&intent);
	EXPECT_OK(bench.store.drain(context, bench.fence, intent.worker_id, FLEET_DRAIN_AGED, NOTE,
				    &err),
		  err);
	EXPECT_OK(bench.store.undrain(context, bench.fence, intent.worker_id, NOTE, &err), err);
	EXPECT_INT(find(&bench, intent.worker_id)->state, WORKER_ACTIVE);
	(void)end(&bench, intent.worker_id, WORKER_TERMINATED);
	EXPECT_ERR(bench.store.drain(context, bench.fence, intent.worker_id, FLEET_DRAIN_IDLE, NOTE,
				     &err),
		   err, ERR_CONFLICT);
	free(intent.login);
}

/* Submits a job with these limits (JSON), and returns its id. */
static int64_t submit(struct bench *bench, const char *limits)
{
	return test_ask_i64(bench->admin,
			    "INSERT INTO rg.project (id, name) VALUES (1, 'p') ON CONFLICT DO "
			    "NOTHING; SELECT rg.submit(1, NULL, ARRAY['{\"limits\": %s}'], "
			    "ARRAY[NULL], ARRAY[NULL], ARRAY[0::int2])",
			    limits);
}

TEST(waiting_jobs_are_seen_by_their_size_and_large_ones_left_to_large_workers)
{
	CLEANUP(bench_release) struct bench bench = bench_new();
	struct fleet_intent intent = intend(&bench);
	(void)submit(&bench, "{}");
	(void)submit(&bench, "{\"cpus\": 0.5}");
	int64_t large = submit(&bench, "{\"cpus\": 4, \"memory_bytes\": 8589934592}");
	observe(&bench);
	EXPECT_INT(bench.world.shape_count, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct fleet_shape *shape = &bench.world.shapes[i];
		bool is_large = shape->count == 1;
		EXPECT_INT(shape->count, is_large ? 1 : 2);
		EXPECT_INT(shape->cpu_millis, is_large ? 4000 : DEFAULT_CPU_MILLIS);
		EXPECT_INT(shape->memory_bytes, is_large ? 8 * GIB : DEFAULT_MEMORY_BYTES);
	}
	PGconn *login = join(&intent);
	EXPECT_INT(test_ask_i64(login,
				"SELECT count(*) FROM rg_worker.step(1, '{}', '{}', '{}', '{}', "
				"'{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', 10, 0)"),
		   2);
	EXPECT_INT(test_ask_i64(bench.admin, "SELECT job_id FROM rg.ready"), large);
	const struct fleet_worker *worker = find(&bench, intent.worker_id);
	EXPECT_INT(worker->busy_slots, 2);
	EXPECT_INT(worker->busy_cpu_millis, 2 * DEFAULT_CPU_MILLIS);

	struct error err = {0};
	int64_t requeued = 0;
	EXPECT_ERR(bench.store.end(bench.store.context, bench.fence, intent.worker_id,
				   WORKER_TERMINATED, true, NOTE, &requeued, &err),
		   err, ERR_CONFLICT);
	EXPECT_INT(end(&bench, intent.worker_id, WORKER_DEAD), 2);
	free(intent.login);
}

TEST(one_leads_until_its_session_ends_and_its_orders_are_void_then)
{
	CLEANUP(bench_release) struct bench bench = bench_new();
	CLEANUP(bench_release) struct bench other = {.conninfo = bench.conninfo};
	struct error err = {0};
	int64_t stale = bench.fence;
	bench_open(&other);
	for (int i = 0; i < 3; i++) /* asking again is harmless */
		EXPECT(leads(&bench));
	EXPECT_INT(bench.fence, stale);
	EXPECT(!leads(&other));
	pg_free(TAKE_PTR(bench.pg));
	fleet_store_pg_free(TAKE_PTR(bench.store_pg));
	bool took_over = false;
	for (int i = 0; i < 1000 && !took_over; i++) /* the server takes a moment to notice */
		took_over = leads(&other);
	EXPECT(took_over);
	EXPECT(other.fence > stale);
	EXPECT_ERR(other.store.note(other.store.context, stale, "test", 0, NOTE, &err), err,
		   ERR_FORBIDDEN);
	fleet_store_resign(other.store_pg);
	bench_open(&bench);
	EXPECT(leads(&bench));
}

TEST(upkeep_says_whether_there_is_more_to_come)
{
	CLEANUP(bench_release) struct bench bench = bench_new();
	struct fleet_upkeep upkeep = {0};
	struct error err = {0};
	EXPECT_OK(bench.store.upkeep(bench.store.context, &upkeep, &err), err);
	EXPECT(!upkeep.busy && !upkeep.woken);
	test_do(bench.admin, "INSERT INTO rg.delayed (job_id, attempt, run_at, reason)"
			     " VALUES (1, 1, now() + interval '1 h', 'later')");
	EXPECT_OK(bench.store.upkeep(bench.store.context, &upkeep, &err), err);
	EXPECT(upkeep.busy && !upkeep.woken);
	test_do(bench.admin, "UPDATE rg.delayed SET run_at = now()");
	EXPECT_OK(bench.store.upkeep(bench.store.context, &upkeep, &err), err);
	EXPECT(upkeep.busy && upkeep.woken);
}

TEST(why_something_was_done_is_an_event)
{
	CLEANUP(bench_release) struct bench bench = bench_new();
	struct error err = {0};
	EXPECT_OK(
		bench.store.note(bench.store.context, bench.fence, "worker.create", 7, NOTE, &err),
		err);
	EXPECT_STR(test_ask(bench.admin, "SELECT format('%%s %%s %%s %%s', kind, rule, reason, key)"
					 " FROM rg.event WHERE worker_id = 7"),
		   "worker.create 111 for a test key");
}

TEST(choices_cool_down_and_quota_pauses)
{
	CLEANUP(bench_release) struct bench bench = bench_new();
	struct error err = {0};
	void *context = bench.store.context;
	observe(&bench);
	struct fleet_cooling cooling = {.server_type = "cx23",
					.location = "nbg1",
					.until_us = bench.world.now_us + HOUR_US,
					.cause = FLEET_COOLING_SOLD_OUT};
	struct fleet_cooling shorter = cooling;
	shorter.until_us -= HOUR_US / 2;
	EXPECT_OK(bench.store.cool(context, bench.fence, &cooling, "sold out", &err), err);
	EXPECT_OK(bench.store.cool(context, bench.fence, &shorter, "again", &err), err);
	EXPECT_OK(bench.store.pause_quota(context, bench.fence, cooling.until_us, "five servers",
					  &err),
		  err);
	int64_t until_us = cooling.until_us;
	observe(&bench);
	EXPECT_INT(bench.world.cooling_count, 1);
	EXPECT_INT(bench.world.coolings[0].until_us, until_us);
	EXPECT_INT(bench.world.coolings[0].cause, FLEET_COOLING_SOLD_OUT);
	EXPECT_INT(bench.world.quota_until_us, until_us);
}

TEST(started_hours_are_booked_once)
{
	CLEANUP(bench_release) struct bench bench = bench_new();
	struct fleet_intent intent = intend(&bench);
	struct error err = {0};
	observe(&bench);
	int64_t now_us = bench.world.now_us;
	record_server(&bench, intent.worker_id, 42, now_us);
	struct fleet_ledger_row rows[] = {
		{intent.worker_id, 42, 0, now_us, 8800},
		{intent.worker_id, 42, 1, now_us + HOUR_US, 8800},
	};
	for (int i = 0; i < 2; i++)
		EXPECT_OK(bench.store.book(bench.store.context, bench.fence, rows, 2, &err), err);
	EXPECT_INT(find(&bench, intent.worker_id)->hours_booked, 2);
	EXPECT(bench.world.spent_micros >= 8800);
	EXPECT_INT(test_ask_i64(bench.admin, "SELECT sum(price_micros) FROM rg.cost_ledger"),
		   2 * 8800);
	/* Shares of jobs divide by the hour that the price is for. */
	EXPECT_INT(test_ask_i64(bench.admin, "SELECT hour_ms FROM rg.worker"), 60000);
	free(intent.login);
}
