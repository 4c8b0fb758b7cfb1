#include "worker_fixture.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "core/job.h"
#include "core/limits.h"

TEST(a_limited_batch_lets_so_many_run)
{
	PGconn *admin;
	const char *conninfo = queue_database(&admin);
	struct test_worker worker = worker_new(conninfo, admin, "a");
	int64_t batch = test_ask_i64(admin, "SELECT rg.batch_create(1, 'b', NULL, 2, NULL)");
	struct test_lease leases[2];

	test_do(admin, "SELECT t.submit(5, %lld, 1::smallint)", (long long)batch);
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
	const char *counts = test_ask(admin, "SELECT t.counts(%lld)", (long long)batch);
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

	test_do(admin, "SELECT t.submit(2, %lld)", (long long)batch);
	struct test_lease lease = worker_claim(&worker);
	EXPECT_INT(test_ask_i64(worker.conn,
				"SELECT count(*) FROM rg_worker.step(%d, ARRAY[%lld], ARRAY[1], "
				"ARRAY[%lld],"
				" '{1}', '{0}', '{NULL}', '{t}', '{1}', '{1}', '{1}', '{1}', "
				"'{1}', '{\"\"}', 1, 0)"
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

	test_do(admin, "SELECT t.submit(9, %lld)", (long long)batch);
	test_do(admin, "UPDATE rg.batch SET parallel_limit = 4");
	EXPECT_INT(test_ask_i64(admin, "SELECT topped_up FROM rg.tick()"), 3);
	EXPECT_INT(test_ask_i64(admin, "SELECT topped_up FROM rg.tick()"), 0);
	expect_sound(admin);
}

TEST(a_batch_is_cancelled_and_retried_as_a_whole)
{
	PGconn *admin;
	const char *conninfo = queue_database(&admin);
	struct test_worker worker = worker_new(conninfo, admin, "a");
	int64_t batch =
		test_ask_i64(admin, "SELECT rg.batch_create(1, 'b', '{\"k\": \"v\"}', 3, NULL)");
	struct test_lease leases[3];

	test_do(admin, "SELECT t.submit(6, %lld, 1::smallint)", (long long)batch);
	for (size_t i = 0; i < 3; i++)
		leases[i] = worker_claim(&worker);
	EXPECT_INT(worker_finish(&worker, &leases[0], OUTCOME_COMPLETED), 1);
	EXPECT_INT(worker_finish(&worker, &leases[1], OUTCOME_FAILED), 1);
	EXPECT_REFUSED(admin, "RG404", "SELECT rg.cancel_batch(2, %lld)", (long long)batch);
	const char *answer = test_ask(admin, "SELECT rg.cancel_batch(1, %lld)", (long long)batch);
	EXPECT_STR(answer, "(4,1)");
	answer = test_ask(admin, "SELECT rg.cancel_batch(1, %lld)", (long long)batch);
	EXPECT_STR(answer, "(0,0)");
	EXPECT_REFUSED(admin, "RG409", "SELECT t.submit(1, %lld)", (long long)batch);
	EXPECT_INT(worker_finish(&worker, &leases[2], OUTCOME_CANCELLED), 1);
	answer = test_ask(admin, "SELECT t.counts(%lld)", (long long)batch);
	EXPECT_STR(answer, "6 1 0 5");
	expect_sound(admin);

	EXPECT_INT(test_ask_i64(admin, "SELECT rg.retry_batch(1, %lld, true)", (long long)batch),
		   5);
	answer = test_ask(admin, "SELECT t.counts(%lld)", (long long)batch);
	EXPECT_STR(answer, "6 1 0 0");
	expect_sound(admin);
	EXPECT_INT(test_ask_i64(admin, "SELECT rg.retry_batch(1, %lld, false)", (long long)batch),
		   1);
	EXPECT_INT(test_ask_i64(admin, "SELECT rg.retry_batch(1, %lld, false)", (long long)batch),
		   0);
	test_do(admin, "SELECT t.submit(1, %lld)", (long long)batch);
	EXPECT_INT(test_ask_i64(admin, "SELECT max(batch_index) FROM rg.job"), 6);
	expect_sound(admin);
}

TEST(too_many_failures_end_the_batch)
{
	PGconn *admin;
	const char *conninfo = queue_database(&admin);
	struct test_worker worker = worker_new(conninfo, admin, "a");
	int64_t batch = test_ask_i64(admin, "SELECT rg.batch_create(1, 'b', NULL, NULL, 2)");

	test_do(admin, "SELECT t.submit(9, %lld)", (long long)batch);
	for (int i = 0; i < 2; i++) {
		struct test_lease lease = worker_claim(&worker);
		EXPECT_INT(worker_finish(&worker, &lease, OUTCOME_FAILED), 1);
	}
	struct test_lease held = worker_claim(&worker);
	tick(admin);
	const char *counts = test_ask(admin, "SELECT t.counts(%lld)", (long long)batch);
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
	static const char many[] = "SELECT string_agg(position || ':' || status || ':' || "
				   "coalesce((job_id = %s)::text, '-'), ' ')"
				   " FROM rg.submit_many('{1,1,1,2,1}', '{NULL,k,k,k,k}', "
				   "'{NULL,\"\\\\x01\",\"\\\\x01\",\"\\\\x01\",\"\\\\x02\"}',"
				   " array_fill(t.spec(), '{5}'), array_fill(NULL::text, '{5}'), "
				   "array_fill(NULL::text, '{5}'),"
				   " array_fill(0::int2, '{5}'))";

	const char *answer = test_ask(
		admin, many,
		"(SELECT (response->>'job')::int8 FROM rg.submit_key WHERE project_id = 1)");
	EXPECT_INT(test_ask_i64(admin, "SELECT count(*) FROM rg.job"), 3);
	EXPECT_INT(test_ask_i64(admin, "SELECT count(*) FROM rg.ready"), 3);
	int64_t first = test_ask_i64(
		admin, "SELECT response->>'job' FROM rg.submit_key WHERE project_id = 1");
	CLEANUP(cleanup_free) char *id = xasprintf("%lld", (long long)first);
	answer = test_ask(admin, many, id);
	EXPECT_STR(answer, "1:1:false 2:2:true 3:2:true 4:2:false 5:3:-");
	EXPECT_INT(test_ask_i64(admin, "SELECT count(*) FROM rg.job"), 4);
	expect_sound(admin);
}

TEST(bulk_submissions_with_a_key_happen_once)
{
	PGconn *admin;
	(void)queue_database(&admin);

	EXPECT_INT(test_ask_i64(admin, "SELECT status FROM rg.submit_key_begin(1, 'k', '\\x01')"),
		   1);
	test_do(admin, "SELECT rg.submit_key_finish(1, 'k', '{\"ids\": [1]}')");
	const char *answer = test_ask(admin, "SELECT rg.submit_key_begin(1, 'k', '\\x01')");
	EXPECT_STR(answer, "(2,\"{\"\"ids\"\": [1]}\")");
	answer = test_ask(admin, "SELECT rg.submit_key_begin(1, 'k', '\\x02')");
	EXPECT_STR(answer, "(3,)");
	EXPECT_INT(test_ask_i64(admin, "SELECT status FROM rg.submit_key_begin(2, 'k', '\\x02')"),
		   1);

	test_do(admin, "UPDATE rg.submit_key SET created_at = now() - interval '73 h' WHERE "
		       "project_id = 1");
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
	EXPECT_REFUSED(admin, "RG422",
		       "SELECT rg.submit(1, NULL, '{a,b}', '{NULL}', '{NULL}', '{0}')");
	EXPECT_REFUSED(admin, "RG422", "SELECT t.submit(10001)");
	EXPECT_REFUSED(admin, "RG404", "SELECT rg.retry_batch(1, %lld, true)", (long long)batch);
	EXPECT_REFUSED(admin, "RG404", "SELECT rg.retry_job(1, 12345)");
	int64_t job = submit_one(admin);
	EXPECT_REFUSED(admin, "RG409", "SELECT rg.retry_job(1, %lld)", (long long)job);
}
