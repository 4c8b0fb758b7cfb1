#include "worker_fixture.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "core/job.h"
#include "core/limits.h"

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
	const char *row = test_ask(
		admin,
		"SELECT format('%%s %%s %%s %%s %%s %%s %%s', exit_code, finished_at - started_at,"
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
		EXPECT_INT(
			test_ask_i64(
				admin,
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
		"SELECT string_agg(format('%%s/%%s/%%s/%%s', job_id, attempt, cancelled, drain), ' "
		"')"
		" FROM rg_worker.heartbeat(%d, ARRAY[%lld], ARRAY[1], ARRAY[%lld])";

	const char *answer = test_ask(worker.conn, beat, worker.incarnation, (long long)job,
				      (long long)lease.token);
	EXPECT_STR(answer, "//f/f");
	EXPECT_INT(test_ask_i64(admin, "SELECT rg.cancel_job(1, %lld)", (long long)job), 2);
	EXPECT_INT(test_ask_i64(admin, "SELECT rg.cancel_job(1, %lld)", (long long)job), 2);
	answer = test_ask(worker.conn, beat, worker.incarnation, (long long)job,
			  (long long)lease.token);
	CLEANUP(cleanup_free) char *expected = xasprintf("//f/f %lld/1/t/f", (long long)job);
	EXPECT_STR(answer, expected);
	/* It failed before it heard of it: not repeated, but cancelled. */
	EXPECT_INT(worker_finish(&worker, &lease, OUTCOME_FAILED), 1);
	EXPECT_PLACE(admin, job, "ended 1 5");
	answer = test_ask(worker.conn, beat, worker.incarnation, (long long)job,
			  (long long)lease.token);
	expected[strlen(expected) - 3] = 'f'; /* not cancelled, but not its lease any more */
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
	EXPECT_INT(test_ask_i64(admin, "SELECT rg.worker_dead(%lld, 'gone', 5::int2)",
				(long long)worker.id),
		   1);
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
	static const char release[] =
		"SELECT rg_worker.release(%d, ARRAY[%lld], ARRAY[1], ARRAY[%lld])";

	EXPECT_INT(
		test_ask_i64(worker.conn,
			     "SELECT rg_worker.log_append(%d, %lld, 1, %lld, 0, 3::int2, 0, 'x')",
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

TEST(a_floor_past_late_jobs_starves_none)
{
	PGconn *admin;
	const char *conninfo = queue_database(&admin);
	struct test_worker worker = worker_new(conninfo, admin, "a");

	test_do(admin, "SELECT t.submit(10)");
	int64_t middle =
		test_ask_i64(admin, "SELECT job_id FROM rg.ready ORDER BY 1 OFFSET 6 LIMIT 1");
	EXPECT_INT(test_ask_i64(worker.conn, "SELECT count(DISTINCT job) FROM t.claim(%d, 6, %lld)",
				worker.incarnation, (long long)middle),
		   6);
	EXPECT_INT(test_ask_i64(admin, "SELECT count(*) FROM rg.ready WHERE job_id >= %lld",
				(long long)middle),
		   0);
	EXPECT_INT(test_ask_i64(worker.conn,
				"SELECT count(*) FROM t.claim(%d, 6, 9223372036854775807)",
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
	static const char log[] =
		"SELECT rg_worker.log_append(%d, %lld, 1, %lld, %d, 1::int2, 0, 'text')";
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
	EXPECT_REFUSED(worker.conn, "RG422",
		       "SELECT rg_worker.log_append(%d, %lld, 1, %lld, 1, 1::int2, 0, '')",
		       LEASE_ARGS);
	EXPECT_REFUSED(worker.conn, "RG422",
		       "SELECT rg_worker.log_append(%d, %lld, 1, %lld, 1, 1::int2, 0,"
		       " convert_to(repeat('x', 65537), 'UTF8'))",
		       LEASE_ARGS);
#undef LEASE_ARGS
}
