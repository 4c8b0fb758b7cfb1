/* Many sessions at once do everything that can be done to the queue, at random; then everything is
 * finished, and what is recorded must be the truth. The seed is printed by a failure; STRESS_SEED
 * and STRESS_SECONDS choose another run. */
#include "worker_fixture.h"

#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/rand.h"
#include "core/job.h"

#define WORKERS	   6
#define USERS	   2
#define LEASES_MAX 64

static unsigned random_below(unsigned *state, unsigned bound)
{
	return (unsigned)rand_r(state) % bound;
}

/* What a conflict with others may answer: a duplicate, a deadlock, or a refusal by the rules.
 * Anything else is a bug. */
static bool is_expected_error(const char *sqlstate)
{
	return strncmp(sqlstate, "RG4", 3) == 0 || strcmp(sqlstate, "40P01") == 0;
}

/* Runs SQL and returns its result, or NULL after an expected error. Ends the process otherwise. */
static PGresult *attempt(PGconn *conn, const char *sql)
{
	PGresult *result = PQexec(conn, sql);

	if (PQresultStatus(result) == PGRES_TUPLES_OK || PQresultStatus(result) == PGRES_COMMAND_OK)
		return result;
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	if (sqlstate == NULL || !is_expected_error(sqlstate)) {
		fprintf(stderr, "%s: %s\n", sql, PQresultErrorMessage(result));
		_exit(1);
	}
	PQclear(result);
	return NULL;
}

static void attempt_and_forget(PGconn *conn, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void attempt_and_forget(PGconn *conn, const char *format, ...)
{
	char sql[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(sql, sizeof(sql), format, args);
	va_end(args);
	PQclear(attempt(conn, sql));
}

struct held {
	struct test_lease leases[LEASES_MAX];
	size_t count;
};

static void claim_some(const struct test_worker *worker, struct held *held, unsigned *seed)
{
	unsigned room = (unsigned)(LEASES_MAX - held->count);
	unsigned want = 1 + random_below(seed, 8);
	char sql[128];

	if (room == 0)
		return;
	(void)snprintf(sql, sizeof(sql), "SELECT job, attempt, token FROM t.claim(%d, %u)",
		       worker->incarnation, want < room ? want : room);
	PGresult *result = attempt(worker->conn, sql);
	for (int row = 0; row < PQntuples(result); row++) {
		held->leases[held->count++] = (struct test_lease){
			.job = strtoll(PQgetvalue(result, row, 0), NULL, 10),
			.attempt = (int)strtol(PQgetvalue(result, row, 1), NULL, 10),
			.token = strtoll(PQgetvalue(result, row, 2), NULL, 10),
		};
	}
	PQclear(result);
}

/* Sometimes twice, and sometimes without forgetting, as after a lost answer. */
static void finish_one(const struct test_worker *worker, struct held *held, unsigned *seed)
{
	static const int outcomes[] = {
		OUTCOME_COMPLETED, OUTCOME_COMPLETED,	 OUTCOME_COMPLETED,
		OUTCOME_COMPLETED, OUTCOME_FAILED,	 OUTCOME_TIMED_OUT,
		OUTCOME_CANCELLED, OUTCOME_SYSTEM_ERROR, OUTCOME_REJECTED,
	};

	if (held->count == 0)
		return;
	size_t index = random_below(seed, (unsigned)held->count);
	struct test_lease lease = held->leases[index];
	int outcome = outcomes[random_below(seed, ARRAY_SIZE(outcomes))];
	unsigned times = random_below(seed, 10) == 0 ? 2 : 1;
	for (unsigned i = 0; i < times; i++)
		attempt_and_forget(worker->conn, "SELECT t.finish(%d, %lld, %d, %lld, %d)",
				   worker->incarnation, (long long)lease.job, lease.attempt,
				   (long long)lease.token, outcome);
	if (random_below(seed, 20) != 0)
		held->leases[index] = held->leases[--held->count];
}

static void release_one(const struct test_worker *worker, struct held *held, unsigned *seed)
{
	if (held->count == 0)
		return;
	size_t index = random_below(seed, (unsigned)held->count);
	struct test_lease lease = held->leases[index];
	attempt_and_forget(
		worker->conn, "SELECT rg_worker.release(%d, ARRAY[%lld], ARRAY[%d], ARRAY[%lld])",
		worker->incarnation, (long long)lease.job, lease.attempt, (long long)lease.token);
	held->leases[index] = held->leases[--held->count];
}

/* After a conflict with others it is asked again, as a real worker does; the end may be later. */
static void join_anew(struct test_worker *worker)
{
	PGresult *result = NULL;

	for (int tries = 0; tries < 100 && result == NULL; tries++)
		result = attempt(worker->conn, "SELECT t.join()");
	EXPECT(result != NULL);
	worker->incarnation = (int)strtol(PQgetvalue(result, 0, 0), NULL, 10);
	PQclear(result);
}

static void act_as_worker(const struct test_worker *given, unsigned seed, uint64_t end_ms)
{
	struct test_worker worker = *given;
	struct held held = {0};

	while (clock_boottime_ms() < end_ms) {
		unsigned choice = random_below(&seed, 100);

		if (choice < 40)
			claim_some(&worker, &held, &seed);
		else if (choice < 85)
			finish_one(&worker, &held, &seed);
		else if (choice < 93)
			release_one(&worker, &held, &seed);
		else if (choice < 98)
			attempt_and_forget(worker.conn,
					   "SELECT rg_worker.heartbeat(%d, '{}', '{}', '{}')",
					   worker.incarnation);
		else
			join_anew(&worker); /* crashed and came back; it may still tell old ends */
		/* Given up meanwhile: join anew, as a real worker does. */
		PGresult *result = PQexec(worker.conn, "SELECT incarnation FROM t.me()");
		int incarnation = (int)strtol(PQgetvalue(result, 0, 0), NULL, 10);
		PQclear(result);
		if (incarnation != worker.incarnation)
			join_anew(&worker);
	}
}

static void act_as_user(PGconn *conn, unsigned seed, uint64_t end_ms)
{
	while (clock_boottime_ms() < end_ms) {
		unsigned choice = random_below(&seed, 100);

		if (choice < 35)
			attempt_and_forget(conn, "SELECT t.submit(%u, t.some_batch(), %u::int2)",
					   1 + random_below(&seed, 10), random_below(&seed, 3));
		else if (choice < 45)
			attempt_and_forget(conn, "SELECT t.submit(%u)",
					   1 + random_below(&seed, 10));
		else if (choice < 48)
			attempt_and_forget(conn,
					   "SELECT rg.batch_create(1, 'b', NULL, nullif(%u, 0), "
					   "nullif(%u, 0))",
					   random_below(&seed, 4), random_below(&seed, 2) * 15);
		else if (choice < 68)
			attempt_and_forget(conn, "SELECT rg.cancel_job(1, t.some_job())");
		else if (choice < 82)
			attempt_and_forget(conn, "SELECT rg.retry_job(1, t.some_job())");
		else if (choice < 83)
			attempt_and_forget(conn, "SELECT rg.cancel_batch(1, t.some_batch())");
		else if (choice < 85)
			attempt_and_forget(conn, "SELECT rg.retry_batch(1, t.some_batch(), %s)",
					   random_below(&seed, 2) ? "true" : "false");
		else
			attempt_and_forget(
				conn,
				"SELECT rg.submit_many('{1}', ARRAY['key%u'], ARRAY['r'::bytea],"
				" ARRAY[t.spec()], '{NULL}', '{NULL}', '{0}')",
				random_below(&seed, 50));
	}
}

/* Ticks, lets delays pass, makes workers seem silent, and looks whether limits hold at every
 * moment. */
static void act_as_orchestrator(PGconn *conn, unsigned seed, uint64_t end_ms)
{
	while (clock_boottime_ms() < end_ms) {
		attempt_and_forget(
			conn,
			"UPDATE rg.delayed SET run_at = now() - interval '1 s' WHERE job_id IN"
			" (SELECT job_id FROM rg.delayed LIMIT 10 FOR UPDATE SKIP LOCKED)");
		attempt_and_forget(conn, "SELECT rg.tick()");
		if (random_below(&seed, 20) == 0)
			attempt_and_forget(
				conn,
				"UPDATE rg.worker SET last_seen = now() - interval '70 s'"
				" WHERE id = (SELECT id FROM rg.worker ORDER BY random() LIMIT 1)");
		PGresult *over = attempt(conn, "SELECT v FROM t.violations() AS v");
		if (PQntuples(over) > 0) {
			fprintf(stderr, "at some moment: %s\n", PQgetvalue(over, 0, 0));
			_exit(1);
		}
		PQclear(over);
	}
}

static const char more_helpers[] =
	"CREATE FUNCTION t.me() RETURNS TABLE (incarnation int) LANGUAGE sql SECURITY DEFINER AS"
	" $$ SELECT incarnation FROM rg.worker WHERE login = session_user $$;"
	"CREATE FUNCTION t.some_job() RETURNS bigint LANGUAGE sql VOLATILE AS $$ SELECT id FROM "
	"rg.job"
	" ORDER BY id DESC OFFSET floor(random() * 300)::int LIMIT 1 $$;"
	"CREATE FUNCTION t.some_batch() RETURNS bigint LANGUAGE sql VOLATILE AS $$ SELECT id FROM "
	"rg.batch"
	" ORDER BY id DESC OFFSET floor(random() * 6)::int LIMIT 1 $$;";

static void fork_actor(void (*act)(PGconn *conn, unsigned seed, uint64_t end_ms),
		       const char *conninfo, unsigned seed, uint64_t end_ms)
{
	pid_t pid = fork();

	EXPECT(pid >= 0);
	if (pid == 0) {
		act(test_connect(conninfo), seed, end_ms);
		_exit(0);
	}
}

/* With everybody gone: all that is open is run to its end by one last worker. */
static void drain(const char *conninfo, PGconn *admin)
{
	struct test_worker last = worker_new(conninfo, admin, "last");

	test_do(admin,
		"UPDATE rg.worker SET last_seen = now() - interval '70 s' WHERE name <> 'last'");
	for (int round = 0; round < 10000; round++) {
		test_do(admin, "UPDATE rg.delayed SET run_at = now() - interval '1 s'");
		test_do(admin, "SELECT rg.tick()");
		while (test_ask_i64(last.conn,
				    "SELECT count(t.finish(%d, job, attempt, token)) FROM"
				    " t.claim(%d, 500)",
				    last.incarnation, last.incarnation) > 0)
			;
		if (test_ask_i64(
			    admin,
			    "SELECT (SELECT count(*) FROM rg.ready) + (SELECT count(*) FROM "
			    "rg.delayed)"
			    " + (SELECT count(*) FROM rg.parked) + (SELECT count(*) FROM rg.lease)"
			    " + (SELECT count(*) FROM rg.batch_delta)") == 0)
			return;
	}
	tap_fail(__FILE__, __LINE__, "the queue does not drain");
}

TEST(a_storm_leaves_the_truth)
{
	PGconn *admin;
	const char *conninfo = queue_database(&admin);
	const char *seed_text = getenv("STRESS_SEED");
	const char *seconds = getenv("STRESS_SECONDS");
	unsigned seed =
		seed_text != NULL ? (unsigned)strtoul(seed_text, NULL, 10) : (unsigned)rand_u64();
	uint64_t end_ms =
		clock_boottime_ms() + 1000 * (seconds != NULL ? strtoull(seconds, NULL, 10) : 5);
	struct test_worker workers[WORKERS];
	int failures = 0;
	int status;

	printf("STRESS_SEED=%u\n", seed);
	(void)fflush(stdout);
	PQclear(PQexec(admin, more_helpers));
	for (int i = 0; i < 6; i++)
		test_do(admin, "SELECT rg.batch_create(1, 'b', NULL, nullif(%d, 0), NULL)", i % 4);
	for (unsigned i = 0; i < WORKERS; i++) {
		char name[8];
		(void)snprintf(name, sizeof(name), "w%u", i);
		workers[i] = worker_new(conninfo, admin, name);
		pid_t pid = fork();
		EXPECT(pid >= 0);
		if (pid == 0) {
			act_as_worker(&workers[i], seed + i, end_ms);
			_exit(0);
		}
	}
	for (unsigned i = 0; i < USERS; i++)
		fork_actor(act_as_user, conninfo, seed + 100 + i, end_ms);
	fork_actor(act_as_orchestrator, conninfo, seed + 200, end_ms);
	fork_actor(act_as_orchestrator, conninfo, seed + 201, end_ms);
	while (wait(&status) > 0)
		failures += status != 0;
	EXPECT_INT(failures, 0);

	expect_sound(admin);
	drain(conninfo, admin);
	expect_sound(admin);
	/* Every job has ended, exactly once since its last retry, and the keys made one job each.
	 */
	EXPECT_INT(
		test_ask_i64(admin,
			     "SELECT count(*) FROM rg.job WHERE t.place(id) NOT LIKE 'ended %%'"),
		0);
	EXPECT_INT(test_ask_i64(admin,
				"SELECT count(*) FROM rg.submit_key k WHERE NOT EXISTS (SELECT FROM"
				" rg.job j WHERE j.id = (k.response->>'job')::int8)"),
		   0);
	EXPECT(test_ask_i64(admin, "SELECT count(*) FROM rg.attempt") > 100);
}
