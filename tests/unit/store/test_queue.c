#include "worker_fixture.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "core/job.h"
#include "core/limits.h"

static int64_t submit_one(PGconn *admin)
{
	return test_ask_i64(admin, "SELECT t.submit(1)");
}

static void tick(PGconn *admin)
{
	free(test_ask(admin, "SELECT rg.tick()"));
}

/* Makes what is delayed due. */
static void pass_time(PGconn *admin)
{
	free(test_ask(admin, "UPDATE rg.delayed SET run_at = now() - interval '1 s'"));
	tick(admin);
}

static void fall_silent(PGconn *admin, const struct test_worker *worker, int seconds)
{
	free(test_ask(admin, "UPDATE rg.worker SET last_seen = now() - %d * interval '1 s' WHERE id = %lld",
		      seconds, (long long)worker->id));
}

#define EXPECT_REFUSED(conn, sqlstate, ...)                                                        \
	do {                                                                                       \
		CLEANUP(cleanup_free) char *state_ = test_ask_error(conn, __VA_ARGS__);            \
		EXPECT_STR(state_, sqlstate);                                                      \
	} while (0)

TEST(jobs_are_claimed_in_order_and_recorded_once)
{
	PGconn *admin;
	const char *conninfo = queue_database(&admin);
	struct test_worker worker = worker_new(conninfo, admin, "a");
	int64_t first = submit_one(admin);
	int64_t second = submit_one(admin);

	struct test_lease one = worker_claim(&worker);
	struct test_lease two = worker_claim(&worker);
	EXPECT_INT(one.job, first);
	EXPECT_INT(two.job, second);
	EXPECT_INT(one.attempt, 1);
	EXPECT(one.token != 0);
	EXPECT(one.token != two.token);
	EXPECT_INT(worker_claim(&worker).job, 0);
	EXPECT_PLACE(admin, first, "lease 1");

	EXPECT_INT(worker_finish(&worker, &one, OUTCOME_COMPLETED), 1);
	EXPECT_INT(worker_finish(&worker, &one, OUTCOME_COMPLETED), 2);
	EXPECT_INT(worker_finish(&worker, &one, OUTCOME_FAILED), 2);
	EXPECT_PLACE(admin, first, "ended 1 1");
	char *row = test_ask(admin, "SELECT format('%%s %%s %%s %%s %%s %%s %%s', exit_code, finished_at - started_at,"
				    " cpu_us, memory_peak_bytes, stdout_bytes, stderr_bytes, unenforced)"
				    " FROM rg.attempt WHERE job_id = %lld",
			     (long long)first);
	EXPECT(strstr(row, "0 00:00:01.5") == row);
	EXPECT(strstr(row, " 1000 4096 3 4 {memory,pids}") != NULL);
	expect_sound(admin);
}

TEST(a_stale_or_foreign_writer_is_told_lost)
{
	PGconn *admin;
	const char *conninfo = queue_database(&admin);
	struct test_worker worker = worker_new(conninfo, admin, "a");
	struct test_worker thief = worker_new(conninfo, admin, "b");
	int64_t job = submit_one(admin);
	struct test_lease lease = worker_claim(&worker);
	struct test_lease wrong_token = lease;
	struct test_lease wrong_attempt = lease;

	wrong_token.token ^= 1;
	wrong_attempt.attempt++;
	EXPECT_INT(worker_finish(&worker, &wrong_token, OUTCOME_COMPLETED), 3);
	EXPECT_INT(worker_finish(&worker, &wrong_attempt, OUTCOME_COMPLETED), 3);
	EXPECT_INT(worker_finish(&thief, &lease, OUTCOME_COMPLETED), 3);
	EXPECT_PLACE(admin, job, "lease 1");
	EXPECT_INT(worker_finish(&worker, &lease, OUTCOME_COMPLETED), 1);
	EXPECT_INT(worker_finish(&thief, &lease, OUTCOME_COMPLETED), 3);
}

TEST(failures_are_retried_as_the_user_asked)
{
	PGconn *admin;
	const char *conninfo = queue_database(&admin);
	struct test_worker worker = worker_new(conninfo, admin, "a");
	int64_t job = test_ask_i64(admin, "SELECT t.submit(1, NULL, 2::smallint)");

	for (int attempt = 1; attempt <= 2; attempt++) {
		struct test_lease lease = worker_claim(&worker);
		EXPECT_INT(lease.attempt, attempt);
		EXPECT_INT(worker_finish(&worker, &lease, OUTCOME_FAILED), 1);
		tick(admin); /* not due yet */
		EXPECT_PLACE(admin, job, attempt == 1 ? "delayed 2" : "delayed 3");
		EXPECT_INT(test_ask_i64(admin,
					"SELECT count(*) FROM rg.delayed WHERE run_at BETWEEN"
					" now() + interval '0.4 s' * %d AND now() + interval '1.6 s' * %d",
					attempt, attempt),
			   1);
		pass_time(admin);
	}
	struct test_lease last = worker_claim(&worker);
	EXPECT_INT(worker_finish(&worker, &last, OUTCOME_TIMED_OUT), 1);
	EXPECT_PLACE(admin, job, "ended 3 3");
	expect_sound(admin);

	/* The user's retry has the whole budget again. */
	EXPECT_INT(test_ask_i64(admin, "SELECT rg.retry_job(1, %lld)", (long long)job), 4);
	last = worker_claim(&worker);
	EXPECT_INT(last.attempt, 4);
	EXPECT_INT(worker_finish(&worker, &last, OUTCOME_FAILED), 1);
	EXPECT_PLACE(admin, job, "delayed 5");
	expect_sound(admin);
}

TEST(lost_workers_have_a_budget_of_their_own)
{
	PGconn *admin;
	const char *conninfo = queue_database(&admin);
	struct test_worker worker = worker_new(conninfo, admin, "a");
	int64_t job = submit_one(admin);

	for (int i = 0; i < LOST_BUDGET_DEFAULT; i++) {
		EXPECT_INT(worker_claim(&worker).attempt, i + 1);
		worker_join(&worker); /* anew: what it held is lost */
		pass_time(admin);
		EXPECT(test_ask_i64(admin, "SELECT count(*) FROM rg.ready") == 1);
	}
	struct test_lease lease = worker_claim(&worker);
	EXPECT_INT(worker_finish(&worker, &lease, OUTCOME_SYSTEM_ERROR), 1);
	EXPECT_PLACE(admin, job, "ended 4 9");
	expect_sound(admin);
}

TEST(rejected_is_final)
{
	PGconn *admin;
	const char *conninfo = queue_database(&admin);
	struct test_worker worker = worker_new(conninfo, admin, "a");
	int64_t job = test_ask_i64(admin, "SELECT t.submit(1, NULL, 5::smallint)");
	struct test_lease lease = worker_claim(&worker);

	EXPECT_INT(worker_finish(&worker, &lease, OUTCOME_REJECTED), 1);
	EXPECT_PLACE(admin, job, "ended 1 10");
}

TEST(an_earlier_incarnation_is_refused)
{
	PGconn *admin;
	const char *conninfo = queue_database(&admin);
	struct test_worker worker = worker_new(conninfo, admin, "a");
	int64_t job = submit_one(admin);
	struct test_lease lease = worker_claim(&worker);
	struct test_worker old = worker;

	worker_join(&worker);
	EXPECT_PLACE(admin, job, "delayed 2");
	EXPECT_REFUSED(old.conn, "RG403", "SELECT t.finish(%d, %lld, 1, %lld)", old.incarnation,
		       (long long)lease.job, (long long)lease.token);
	EXPECT_REFUSED(old.conn, "RG403", "SELECT rg_worker.heartbeat(%d, '{}', '{}', '{}')",
		       old.incarnation);
	EXPECT_INT(worker_finish(&worker, &lease, OUTCOME_COMPLETED), 3);
	expect_sound(admin);
}

TEST(a_stranger_is_no_worker)
{
	PGconn *admin;
	(void)queue_database(&admin);

	EXPECT_REFUSED(admin, "RG403", "SELECT t.join()");
	EXPECT_REFUSED(admin, "RG403", "SELECT * FROM t.claim(1, 1)");
	EXPECT_REFUSED(admin, "RG403", "SELECT rg_worker.leave(1, 'x')");
}

TEST(queued_jobs_are_cancelled_at_once)
{
	PGconn *admin;
	const char *conninfo = queue_database(&admin);
	struct test_worker worker = worker_new(conninfo, admin, "a");
	int64_t ready = submit_one(admin);

	EXPECT_INT(test_ask_i64(admin, "SELECT rg.cancel_job(2, %lld)", (long long)ready), 0);
	EXPECT_INT(test_ask_i64(admin, "SELECT rg.cancel_job(1, %lld)", (long long)ready), 1);
	EXPECT_INT(test_ask_i64(admin, "SELECT rg.cancel_job(1, %lld)", (long long)ready), 3);
	EXPECT_PLACE(admin, ready, "ended 1 5");
	EXPECT_INT(worker_claim(&worker).job, 0);

	int64_t delayed = test_ask_i64(admin, "SELECT t.submit(1, NULL, 1::smallint)");
	struct test_lease lease = worker_claim(&worker);
	EXPECT_INT(worker_finish(&worker, &lease, OUTCOME_FAILED), 1);
	EXPECT_INT(test_ask_i64(admin, "SELECT rg.cancel_job(1, %lld)", (long long)delayed), 1);
	EXPECT_PLACE(admin, delayed, "ended 2 5");
	expect_sound(admin);
}

TEST(running_jobs_are_cancelled_through_the_heartbeat)
{
	PGconn *admin;
	const char *conninfo = queue_database(&admin);
	struct test_worker worker = worker_new(conninfo, admin, "a");
	int64_t job = test_ask_i64(admin, "SELECT t.submit(1, NULL, 5::smallint)");
	struct test_lease lease = worker_claim(&worker);
	static const char beat[] =
		"SELECT string_agg(format('%%s/%%s/%%s/%%s', job_id, attempt, cancelled, drain), ' ')"
		" FROM rg_worker.heartbeat(%d, ARRAY[%lld], ARRAY[1], ARRAY[%lld])";

	char *answer = test_ask(worker.conn, beat, worker.incarnation, (long long)job,
				(long long)lease.token);
	EXPECT_STR(answer, "//f/f");
	EXPECT_INT(test_ask_i64(admin, "SELECT rg.cancel_job(1, %lld)", (long long)job), 2);
	EXPECT_INT(test_ask_i64(admin, "SELECT rg.cancel_job(1, %lld)", (long long)job), 2);
	answer = test_ask(worker.conn, beat, worker.incarnation, (long long)job, (long long)lease.token);
	char *expected = xasprintf("//f/f %lld/1/t/f", (long long)job);
	EXPECT_STR(answer, expected);
	/* It failed before it heard of it: not repeated, but cancelled. */
	EXPECT_INT(worker_finish(&worker, &lease, OUTCOME_FAILED), 1);
	EXPECT_PLACE(admin, job, "ended 1 5");
	answer = test_ask(worker.conn, beat, worker.incarnation, (long long)job, (long long)lease.token);
	expected = xasprintf("//f/f %lld/1/f/f", (long long)job);
	EXPECT_STR(answer, expected);
	expect_sound(admin);
}

TEST(a_cancelled_job_that_completes_is_completed)
{
	PGconn *admin;
	const char *conninfo = queue_database(&admin);
	struct test_worker worker = worker_new(conninfo, admin, "a");
	int64_t job = submit_one(admin);
	struct test_lease lease = worker_claim(&worker);

	EXPECT_INT(test_ask_i64(admin, "SELECT rg.cancel_job(1, %lld)", (long long)job), 2);
	EXPECT_INT(worker_finish(&worker, &lease, OUTCOME_COMPLETED), 1);
	EXPECT_PLACE(admin, job, "ended 1 1");
	expect_sound(admin);
}

TEST(a_cancelled_job_whose_worker_is_lost_is_cancelled)
{
	PGconn *admin;
	const char *conninfo = queue_database(&admin);
	struct test_worker worker = worker_new(conninfo, admin, "a");
	int64_t job = submit_one(admin);

	(void)worker_claim(&worker);
	EXPECT_INT(test_ask_i64(admin, "SELECT rg.cancel_job(1, %lld)", (long long)job), 2);
	EXPECT_INT(test_ask_i64(admin, "SELECT rg.worker_dead(%lld, 'gone', 5::int2)", (long long)worker.id), 1);
	EXPECT_PLACE(admin, job, "ended 1 5");
	expect_sound(admin);
}

TEST(released_jobs_are_ready_again_with_the_same_number)
{
	PGconn *admin;
	const char *conninfo = queue_database(&admin);
	struct test_worker worker = worker_new(conninfo, admin, "a");
	int64_t job = submit_one(admin);
	struct test_lease lease = worker_claim(&worker);
	static const char release[] = "SELECT rg_worker.release(%d, ARRAY[%lld], ARRAY[1], ARRAY[%lld])";

	EXPECT_INT(test_ask_i64(worker.conn, "SELECT rg_worker.log_append(%d, %lld, 1, %lld, 0, 3::int2, 0, 'x')",
				worker.incarnation, (long long)job, (long long)lease.token),
		   1);
	EXPECT_INT(test_ask_i64(worker.conn, release, worker.incarnation, (long long)job,
				(long long)lease.token),
		   1);
	EXPECT_PLACE(admin, job, "ready 1");
	EXPECT_INT(test_ask_i64(admin, "SELECT count(*) FROM rg.log_chunk"), 0);
	EXPECT_INT(test_ask_i64(worker.conn, release, worker.incarnation, (long long)job,
				(long long)lease.token),
		   1);
	EXPECT_INT(worker_finish(&worker, &lease, OUTCOME_COMPLETED), 3);

	lease = worker_claim(&worker);
	EXPECT_INT(lease.attempt, 1);
	EXPECT_INT(test_ask_i64(admin, "SELECT rg.cancel_job(1, %lld)", (long long)job), 2);
	EXPECT_INT(test_ask_i64(worker.conn, release, worker.incarnation, (long long)job,
				(long long)lease.token),
		   1);
	EXPECT_PLACE(admin, job, "ended 1 5");
	expect_sound(admin);
}

TEST(leases_that_the_worker_does_not_know_are_given_back)
{
	PGconn *admin;
	const char *conninfo = queue_database(&admin);
	struct test_worker worker = worker_new(conninfo, admin, "a");
	int64_t job = submit_one(admin);

	(void)worker_claim(&worker);
	free(test_ask(worker.conn, "SELECT rg_worker.heartbeat(%d, '{}', '{}', '{}')", worker.incarnation));
	EXPECT_PLACE(admin, job, "lease 1"); /* young: the answer may be on its way */
	free(test_ask(admin, "UPDATE rg.lease SET claimed_at = now() - interval '16 s'"));
	free(test_ask(worker.conn, "SELECT rg_worker.heartbeat(%d, '{}', '{}', '{}')", worker.incarnation));
	EXPECT_PLACE(admin, job, "ready 1");

	struct test_lease lease = worker_claim(&worker);
	free(test_ask(admin, "UPDATE rg.lease SET claimed_at = now() - interval '16 s'"));
	free(test_ask(worker.conn, "SELECT rg_worker.heartbeat(%d, ARRAY[%lld], ARRAY[1], ARRAY[%lld])",
		      worker.incarnation, (long long)job, (long long)lease.token));
	EXPECT_PLACE(admin, job, "lease 1");
	expect_sound(admin);
}

TEST(a_draining_worker_claims_nothing_and_finishes)
{
	PGconn *admin;
	const char *conninfo = queue_database(&admin);
	struct test_worker worker = worker_new(conninfo, admin, "a");
	int64_t job = submit_one(admin);
	struct test_lease lease = worker_claim(&worker);

	(void)submit_one(admin);
	free(test_ask(admin, "SELECT rg.worker_drain(%lld)", (long long)worker.id));
	EXPECT_INT(worker_claim(&worker).job, 0);
	char *drain = test_ask(worker.conn, "SELECT drain FROM rg_worker.heartbeat(%d, ARRAY[%lld], ARRAY[1], ARRAY[%lld])",
			       worker.incarnation, (long long)job, (long long)lease.token);
	EXPECT_STR(drain, "t");
	EXPECT_INT(worker_finish(&worker, &lease, OUTCOME_COMPLETED), 1);
	worker_join(&worker);
	EXPECT_INT(test_ask_i64(admin, "SELECT state FROM rg.worker"), WORKER_DRAINING);
	EXPECT_INT(test_ask_i64(worker.conn, "SELECT rg_worker.leave(%d, 'drained')", worker.incarnation), 1);
	EXPECT_INT(test_ask_i64(admin, "SELECT state FROM rg.worker"), WORKER_TERMINATED);
	EXPECT_REFUSED(worker.conn, "RG403", "SELECT t.join()");
	tick(admin); /* drops the login, and its session with it */
	EXPECT_INT(test_ask_i64(admin, "SELECT count(*) FROM pg_roles JOIN rg.worker ON login = rolname"), 0);
}

TEST(silent_workers_lose_their_leases)
{
	PGconn *admin;
	const char *conninfo = queue_database(&admin);
	struct test_worker worker = worker_new(conninfo, admin, "a");
	int64_t job = submit_one(admin);
	struct test_lease lease = worker_claim(&worker);

	fall_silent(admin, &worker, LEASE_TTL_MS / 1000 - 2);
	tick(admin);
	EXPECT_PLACE(admin, job, "lease 1");
	fall_silent(admin, &worker, LEASE_TTL_MS / 1000 + 1);
	tick(admin);
	EXPECT_PLACE(admin, job, "delayed 2");
	EXPECT_INT(test_ask_i64(admin, "SELECT count(*) FROM rg.event WHERE kind = 'lease.rescued'"), 1);
	EXPECT_REFUSED(worker.conn, "RG403", "SELECT t.finish(%d, %lld, 1, %lld)", worker.incarnation,
		       (long long)job, (long long)lease.token);
	worker_join(&worker); /* it was only cut off, and may come back */
	EXPECT_INT(worker_finish(&worker, &lease, OUTCOME_COMPLETED), 3);
	expect_sound(admin);
}

TEST(silence_is_not_trusted_after_a_restart_or_of_most_workers)
{
	PGconn *admin;
	const char *conninfo = queue_database(&admin);
	struct test_worker workers[3] = {worker_new(conninfo, admin, "a"), worker_new(conninfo, admin, "b"),
					 worker_new(conninfo, admin, "c")};
	struct test_lease leases[3];

	for (size_t i = 0; i < 3; i++) {
		(void)submit_one(admin);
		leases[i] = worker_claim(&workers[i]);
	}
	fall_silent(admin, &workers[0], 40);
	fall_silent(admin, &workers[1], 40);
	tick(admin);
	EXPECT_PLACE(admin, leases[0].job, "lease 1"); /* two of three */
	fall_silent(admin, &workers[1], 0);
	free(test_ask(admin, "CREATE OR REPLACE FUNCTION rg.listening_since() RETURNS timestamptz"
			     " LANGUAGE sql RETURN now() - interval '25 s'"));
	tick(admin);
	EXPECT_PLACE(admin, leases[0].job, "lease 1"); /* just started */
	free(test_ask(admin, "CREATE OR REPLACE FUNCTION rg.listening_since() RETURNS timestamptz"
			     " LANGUAGE sql RETURN now() - interval '31 s'"));
	tick(admin);
	EXPECT_PLACE(admin, leases[0].job, "delayed 2"); /* one of three */
	EXPECT_PLACE(admin, leases[1].job, "lease 1");
}

TEST(most_workers_silent_for_twice_the_time_are_given_up)
{
	PGconn *admin;
	const char *conninfo = queue_database(&admin);
	static const char *const names[] = {"a", "b", "c"};

	for (size_t i = 0; i < 3; i++) {
		(void)submit_one(admin);
		struct test_worker worker = worker_new(conninfo, admin, names[i]);
		(void)worker_claim(&worker);
		fall_silent(admin, &worker, 61);
	}
	EXPECT_INT(test_ask_i64(admin, "SELECT rescued FROM rg.tick()"), 3);
	expect_sound(admin);
}

TEST(a_dead_workers_login_is_gone)
{
	PGconn *admin;
	const char *conninfo = queue_database(&admin);
	struct test_worker worker = worker_new(conninfo, admin, "a");
	char *login = test_ask(admin, "SELECT login FROM rg.worker");
	int64_t job = submit_one(admin);

	(void)worker_claim(&worker);
	EXPECT_INT(test_ask_i64(admin, "SELECT rg.worker_dead(%lld, 'silent', 5::int2)", (long long)worker.id), 1);
	EXPECT_INT(test_ask_i64(admin, "SELECT rg.worker_dead(%lld, 'again', 4::int2)", (long long)worker.id), 0);
	EXPECT_INT(test_ask_i64(admin, "SELECT state FROM rg.worker"), WORKER_DEAD);
	EXPECT_INT(test_ask_i64(admin, "SELECT count(*) FROM pg_roles WHERE rolname = '%s'", login), 0);
	EXPECT_PLACE(admin, job, "delayed 2");
	PGresult *result = PQexec(worker.conn, "SELECT 1");
	EXPECT(PQstatus(worker.conn) == CONNECTION_BAD); /* its session was ended, too */
	PQclear(result);
	expect_sound(admin);
}

TEST(the_schema_and_the_core_agree_on_a_workers_states)
{
	PGconn *admin;
	(void)queue_database(&admin);

	for (int from = 1; from < WORKER_STATE_MAX; from++) {
		for (int to = 1; to < WORKER_STATE_MAX; to++) {
			free(test_ask(admin, "INSERT INTO rg.worker (name, login, state) VALUES ('x', 'x', %d)",
				      from));
			PGresult *result = PQexecParams(
				admin, "UPDATE rg.worker SET state = $1", 1, NULL,
				(const char *const[]){(const char[]){(char)('0' + to), '\0'}}, NULL, NULL, 0);
			bool allowed = PQresultStatus(result) == PGRES_COMMAND_OK;
			if (allowed !=
			    (from == to || worker_state_may_become((enum worker_state)from,
								   (enum worker_state)to)))
				tap_fail(__FILE__, __LINE__, "from %d to %d", from, to);
			PQclear(result);
			free(test_ask(admin, "DELETE FROM rg.worker"));
		}
	}
}

TEST(a_limited_batch_lets_so_many_run)
{
	PGconn *admin;
	const char *conninfo = queue_database(&admin);
	struct test_worker worker = worker_new(conninfo, admin, "a");
	int64_t batch = test_ask_i64(admin, "SELECT rg.batch_create(1, 'b', NULL, 2, NULL)");
	struct test_lease leases[2];

	free(test_ask(admin, "SELECT t.submit(5, %lld, 1::smallint)", (long long)batch));
	EXPECT_INT(test_ask_i64(admin, "SELECT count(*) FROM rg.ready"), 2);
	EXPECT_INT(test_ask_i64(admin, "SELECT count(*) FROM rg.parked"), 3);
	leases[0] = worker_claim(&worker);
	leases[1] = worker_claim(&worker);
	EXPECT_INT(worker_claim(&worker).job, 0);
	EXPECT_INT(worker_finish(&worker, &leases[0], OUTCOME_COMPLETED), 1);
	EXPECT_INT(test_ask_i64(admin, "SELECT count(*) FROM rg.ready"), 1);
	expect_sound(admin);

	/* A failure gives its place away, and comes back through parked. */
	EXPECT_INT(worker_finish(&worker, &leases[1], OUTCOME_FAILED), 1);
	EXPECT_PLACE(admin, leases[1].job, "delayed 2");
	EXPECT_INT(test_ask_i64(admin, "SELECT count(*) FROM rg.ready"), 2);
	pass_time(admin);
	EXPECT_PLACE(admin, leases[1].job, "parked 2");
	expect_sound(admin);

	/* Cancelling a ready one lets the next in. */
	int64_t ready = test_ask_i64(admin, "SELECT job_id FROM rg.ready ORDER BY job_id LIMIT 1");
	EXPECT_INT(test_ask_i64(admin, "SELECT rg.cancel_job(1, %lld)", (long long)ready), 1);
	EXPECT_INT(test_ask_i64(admin, "SELECT count(*) FROM rg.ready"), 2);
	/* A retried one waits its turn. */
	EXPECT_INT(test_ask_i64(admin, "SELECT rg.retry_job(1, %lld)", (long long)ready), 2);
	EXPECT_PLACE(admin, ready, "parked 2");
	char *counts = test_ask(admin, "SELECT t.counts(%lld)", (long long)batch);
	EXPECT_STR(counts, "5 1 0 0");
	expect_sound(admin);

	for (int i = 0; i < 4; i++) {
		struct test_lease lease = worker_claim(&worker);
		EXPECT_INT(worker_finish(&worker, &lease, OUTCOME_COMPLETED), 1);
	}
	counts = test_ask(admin, "SELECT t.counts(%lld)", (long long)batch);
	EXPECT_STR(counts, "5 5 0 0");
	tick(admin);
	EXPECT_INT(test_ask_i64(admin, "SELECT count(*) FROM rg.batch_delta"), 0);
	counts = test_ask(admin, "SELECT t.counts(%lld)", (long long)batch);
	EXPECT_STR(counts, "5 5 0 0");
	expect_sound(admin);
}

TEST(a_place_is_passed_on_within_the_call_that_frees_it)
{
	PGconn *admin;
	const char *conninfo = queue_database(&admin);
	struct test_worker worker = worker_new(conninfo, admin, "a");
	int64_t batch = test_ask_i64(admin, "SELECT rg.batch_create(1, 'b', NULL, 1, NULL)");

	free(test_ask(admin, "SELECT t.submit(2, %lld)", (long long)batch));
	struct test_lease lease = worker_claim(&worker);
	EXPECT_INT(test_ask_i64(worker.conn,
				"SELECT count(*) FROM rg_worker.step(%d, ARRAY[%lld], ARRAY[1], ARRAY[%lld],"
				" '{1}', '{0}', '{NULL}', '{t}', '{1}', '{1}', '{1}', '{1}', '{1}', '{\"\"}', 1, 0)"
				" WHERE kind = 2",
				worker.incarnation, (long long)lease.job, (long long)lease.token),
		   1);
	expect_sound(admin);
}

TEST(a_raised_limit_and_a_lost_promotion_are_healed_by_the_tick)
{
	PGconn *admin;
	(void)queue_database(&admin);
	int64_t batch = test_ask_i64(admin, "SELECT rg.batch_create(1, 'b', NULL, 1, NULL)");

	free(test_ask(admin, "SELECT t.submit(9, %lld)", (long long)batch));
	free(test_ask(admin, "UPDATE rg.batch SET parallel_limit = 4"));
	EXPECT_INT(test_ask_i64(admin, "SELECT topped_up FROM rg.tick()"), 3);
	EXPECT_INT(test_ask_i64(admin, "SELECT topped_up FROM rg.tick()"), 0);
	expect_sound(admin);
}

TEST(a_batch_is_cancelled_and_retried_as_a_whole)
{
	PGconn *admin;
	const char *conninfo = queue_database(&admin);
	struct test_worker worker = worker_new(conninfo, admin, "a");
	int64_t batch = test_ask_i64(admin, "SELECT rg.batch_create(1, 'b', '{\"k\": \"v\"}', 3, NULL)");
	struct test_lease leases[3];

	free(test_ask(admin, "SELECT t.submit(6, %lld, 1::smallint)", (long long)batch));
	for (size_t i = 0; i < 3; i++)
		leases[i] = worker_claim(&worker);
	EXPECT_INT(worker_finish(&worker, &leases[0], OUTCOME_COMPLETED), 1);
	EXPECT_INT(worker_finish(&worker, &leases[1], OUTCOME_FAILED), 1);
	EXPECT_REFUSED(admin, "RG404", "SELECT rg.cancel_batch(2, %lld)", (long long)batch);
	char *answer = test_ask(admin, "SELECT rg.cancel_batch(1, %lld)", (long long)batch);
	EXPECT_STR(answer, "(4,1)");
	answer = test_ask(admin, "SELECT rg.cancel_batch(1, %lld)", (long long)batch);
	EXPECT_STR(answer, "(0,0)");
	EXPECT_REFUSED(admin, "RG409", "SELECT t.submit(1, %lld)", (long long)batch);
	EXPECT_INT(worker_finish(&worker, &leases[2], OUTCOME_CANCELLED), 1);
	answer = test_ask(admin, "SELECT t.counts(%lld)", (long long)batch);
	EXPECT_STR(answer, "6 1 0 5");
	expect_sound(admin);

	EXPECT_INT(test_ask_i64(admin, "SELECT rg.retry_batch(1, %lld, true)", (long long)batch), 5);
	answer = test_ask(admin, "SELECT t.counts(%lld)", (long long)batch);
	EXPECT_STR(answer, "6 1 0 0");
	expect_sound(admin);
	EXPECT_INT(test_ask_i64(admin, "SELECT rg.retry_batch(1, %lld, false)", (long long)batch), 1);
	EXPECT_INT(test_ask_i64(admin, "SELECT rg.retry_batch(1, %lld, false)", (long long)batch), 0);
	free(test_ask(admin, "SELECT t.submit(1, %lld)", (long long)batch));
	EXPECT_INT(test_ask_i64(admin, "SELECT max(batch_index) FROM rg.job"), 6);
	expect_sound(admin);
}

TEST(too_many_failures_end_the_batch)
{
	PGconn *admin;
	const char *conninfo = queue_database(&admin);
	struct test_worker worker = worker_new(conninfo, admin, "a");
	int64_t batch = test_ask_i64(admin, "SELECT rg.batch_create(1, 'b', NULL, NULL, 2)");

	free(test_ask(admin, "SELECT t.submit(9, %lld)", (long long)batch));
	for (int i = 0; i < 2; i++) {
		struct test_lease lease = worker_claim(&worker);
		EXPECT_INT(worker_finish(&worker, &lease, OUTCOME_FAILED), 1);
	}
	struct test_lease held = worker_claim(&worker);
	tick(admin);
	char *counts = test_ask(admin, "SELECT t.counts(%lld)", (long long)batch);
	EXPECT_STR(counts, "9 0 2 6");
	EXPECT_INT(test_ask_i64(admin, "SELECT count(*) FROM rg.cancel_request WHERE job_id = %lld",
				(long long)held.job),
		   1);
	expect_sound(admin);
}

TEST(submissions_with_a_key_happen_once)
{
	PGconn *admin;
	(void)queue_database(&admin);
	static const char many[] =
		"SELECT string_agg(position || ':' || status || ':' || coalesce((job_id = %s)::text, '-'), ' ')"
		" FROM rg.submit_many('{1,1,1,2,1}', '{NULL,k,k,k,k}', '{NULL,\"\\\\x01\",\"\\\\x01\",\"\\\\x01\",\"\\\\x02\"}',"
		" array_fill(t.spec(), '{5}'), array_fill(NULL::text, '{5}'), array_fill(NULL::text, '{5}'),"
		" array_fill(0::int2, '{5}'))";

	char *answer = test_ask(admin, many, "(SELECT (response->>'job')::int8 FROM rg.submit_key WHERE project_id = 1)");
	EXPECT_INT(test_ask_i64(admin, "SELECT count(*) FROM rg.job"), 3);
	EXPECT_INT(test_ask_i64(admin, "SELECT count(*) FROM rg.ready"), 3);
	free(answer);
	int64_t first = test_ask_i64(admin, "SELECT response->>'job' FROM rg.submit_key WHERE project_id = 1");
	char *id = xasprintf("%lld", (long long)first);
	answer = test_ask(admin, many, id);
	EXPECT_STR(answer, "1:1:false 2:2:true 3:2:true 4:2:false 5:3:-");
	EXPECT_INT(test_ask_i64(admin, "SELECT count(*) FROM rg.job"), 4);
	expect_sound(admin);
}

TEST(bulk_submissions_with_a_key_happen_once)
{
	PGconn *admin;
	(void)queue_database(&admin);

	EXPECT_INT(test_ask_i64(admin, "SELECT status FROM rg.submit_key_begin(1, 'k', '\\x01')"), 1);
	free(test_ask(admin, "SELECT rg.submit_key_finish(1, 'k', '{\"ids\": [1]}')"));
	char *answer = test_ask(admin, "SELECT rg.submit_key_begin(1, 'k', '\\x01')");
	EXPECT_STR(answer, "(2,\"{\"\"ids\"\": [1]}\")");
	answer = test_ask(admin, "SELECT rg.submit_key_begin(1, 'k', '\\x02')");
	EXPECT_STR(answer, "(3,)");
	EXPECT_INT(test_ask_i64(admin, "SELECT status FROM rg.submit_key_begin(2, 'k', '\\x02')"), 1);

	free(test_ask(admin, "UPDATE rg.submit_key SET created_at = now() - interval '73 h' WHERE project_id = 1"));
	tick(admin);
	EXPECT_INT(test_ask_i64(admin, "SELECT count(*) FROM rg.submit_key"), 1);
}

TEST(submissions_go_to_the_projects_own_batches)
{
	PGconn *admin;
	(void)queue_database(&admin);
	int64_t batch = test_ask_i64(admin, "SELECT rg.batch_create(2, 'b', NULL, NULL, NULL)");

	EXPECT_REFUSED(admin, "RG404", "SELECT t.submit(1, %lld)", (long long)batch);
	EXPECT_REFUSED(admin, "RG404", "SELECT t.submit(1, 12345)");
	EXPECT_REFUSED(admin, "RG422", "SELECT rg.submit(1, NULL, '{a,b}', '{NULL}', '{NULL}', '{0}')");
	EXPECT_REFUSED(admin, "RG422", "SELECT t.submit(10001)");
	EXPECT_REFUSED(admin, "RG404", "SELECT rg.retry_batch(1, %lld, true)", (long long)batch);
	EXPECT_REFUSED(admin, "RG404", "SELECT rg.retry_job(1, 12345)");
	int64_t job = submit_one(admin);
	EXPECT_REFUSED(admin, "RG409", "SELECT rg.retry_job(1, %lld)", (long long)job);
}

TEST(a_floor_past_late_jobs_starves_none)
{
	PGconn *admin;
	const char *conninfo = queue_database(&admin);
	struct test_worker worker = worker_new(conninfo, admin, "a");

	free(test_ask(admin, "SELECT t.submit(10)"));
	int64_t middle = test_ask_i64(admin, "SELECT job_id FROM rg.ready ORDER BY 1 OFFSET 6 LIMIT 1");
	EXPECT_INT(test_ask_i64(worker.conn, "SELECT count(DISTINCT job) FROM t.claim(%d, 6, %lld)",
				worker.incarnation, (long long)middle),
		   6);
	EXPECT_INT(test_ask_i64(admin, "SELECT count(*) FROM rg.ready WHERE job_id >= %lld", (long long)middle), 0);
	EXPECT_INT(test_ask_i64(worker.conn, "SELECT count(*) FROM t.claim(%d, 6, 9223372036854775807)",
				worker.incarnation),
		   4);
	expect_sound(admin);
}

TEST(logs_and_artifacts_are_fenced)
{
	PGconn *admin;
	const char *conninfo = queue_database(&admin);
	struct test_worker worker = worker_new(conninfo, admin, "a");
	int64_t job = submit_one(admin);
	struct test_lease lease = worker_claim(&worker);
	static const char log[] = "SELECT rg_worker.log_append(%d, %lld, 1, %lld, %d, 1::int2, 0, 'text')";
	static const char artifacts[] =
		"SELECT rg_worker.artifacts_add(%d, %lld, 1, %lld, '{out/a,out/b}',"
		" array_fill('\\x%064d'::bytea, '{2}'), '{5,5}', '{t,f}')";
#define LEASE_ARGS worker.incarnation, (long long)job, (long long)lease.token
	EXPECT_INT(test_ask_i64(worker.conn, log, LEASE_ARGS, 0), 1);
	EXPECT_INT(test_ask_i64(worker.conn, log, LEASE_ARGS, 0), 2);
	EXPECT_INT(test_ask_i64(worker.conn, log, worker.incarnation, (long long)job, 1LL, 1), 3);
	EXPECT_INT(test_ask_i64(worker.conn, artifacts, LEASE_ARGS, 1), 1);
	EXPECT_INT(test_ask_i64(worker.conn, artifacts, LEASE_ARGS, 1), 2);
	EXPECT_INT(test_ask_i64(admin, "SELECT count(*) FROM rg.artifact"), 2);
	EXPECT_INT(test_ask_i64(admin, "SELECT count(*) FROM rg.blob WHERE project_id = 1"), 1);

	EXPECT_INT(worker_finish(&worker, &lease, OUTCOME_COMPLETED), 1);
	EXPECT_INT(test_ask_i64(worker.conn, log, LEASE_ARGS, 0), 2);
	EXPECT_INT(test_ask_i64(worker.conn, log, LEASE_ARGS, 1), 3);
	EXPECT_INT(test_ask_i64(worker.conn, artifacts, LEASE_ARGS, 1), 2);
	EXPECT_INT(test_ask_i64(worker.conn, artifacts, LEASE_ARGS, 2), 3);
	EXPECT_REFUSED(worker.conn, "RG422", "SELECT rg_worker.log_append(%d, %lld, 1, %lld, 1, 1::int2, 0, '')",
		       LEASE_ARGS);
	EXPECT_REFUSED(worker.conn, "RG422",
		       "SELECT rg_worker.log_append(%d, %lld, 1, %lld, 1, 1::int2, 0,"
		       " convert_to(repeat('x', 65537), 'UTF8'))",
		       LEASE_ARGS);
#undef LEASE_ARGS
}

TEST(arrays_of_a_worker_are_checked)
{
	PGconn *admin;
	const char *conninfo = queue_database(&admin);
	struct test_worker worker = worker_new(conninfo, admin, "a");

	EXPECT_REFUSED(worker.conn, "RG422", "SELECT rg_worker.heartbeat(%d, '{1,2}', '{1}', '{1,2}')",
		       worker.incarnation);
	EXPECT_REFUSED(worker.conn, "RG422", "SELECT rg_worker.heartbeat(%d, NULL, '{}', '{}')",
		       worker.incarnation);
	EXPECT_REFUSED(worker.conn, "RG422", "SELECT rg_worker.release(%d, a, a::int[], a) FROM array_fill(1::int8, '{1001}') a",
		       worker.incarnation);
	EXPECT_REFUSED(worker.conn, "RG422", "SELECT t.join(0)");
	EXPECT_REFUSED(worker.conn, "RG422", "SELECT t.join(100000)");
}
