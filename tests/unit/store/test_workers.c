#include "worker_fixture.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "core/job.h"
#include "core/limits.h"

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

TEST(leases_that_the_worker_does_not_know_are_given_back)
{
	PGconn *admin;
	const char *conninfo = queue_database(&admin);
	struct test_worker worker = worker_new(conninfo, admin, "a");
	int64_t job = submit_one(admin);

	(void)worker_claim(&worker);
	test_do(worker.conn, "SELECT rg_worker.heartbeat(%d, '{}', '{}', '{}')",
		worker.incarnation);
	EXPECT_PLACE(admin, job, "lease 1"); /* young: the answer may be on its way */
	test_do(admin, "UPDATE rg.lease SET claimed_at = now() - interval '16 s'");
	test_do(worker.conn, "SELECT rg_worker.heartbeat(%d, '{}', '{}', '{}')",
		worker.incarnation);
	EXPECT_PLACE(admin, job, "ready 1");

	struct test_lease lease = worker_claim(&worker);
	test_do(admin, "UPDATE rg.lease SET claimed_at = now() - interval '16 s'");
	test_do(worker.conn, "SELECT rg_worker.heartbeat(%d, ARRAY[%lld], ARRAY[1], ARRAY[%lld])",
		worker.incarnation, (long long)job, (long long)lease.token);
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
	test_do(admin, "SELECT rg.worker_drain(%lld, 'test')", (long long)worker.id);
	EXPECT_INT(worker_claim(&worker).job, 0);
	const char *drain = test_ask(
		worker.conn,
		"SELECT drain FROM rg_worker.heartbeat(%d, ARRAY[%lld], ARRAY[1], ARRAY[%lld])",
		worker.incarnation, (long long)job, (long long)lease.token);
	EXPECT_STR(drain, "t");
	EXPECT_INT(worker_finish(&worker, &lease, OUTCOME_COMPLETED), 1);
	worker_join(&worker);
	EXPECT_INT(test_ask_i64(admin, "SELECT state FROM rg.worker"), WORKER_DRAINING);
	EXPECT_INT(test_ask_i64(worker.conn, "SELECT rg_worker.leave(%d, 'drained')",
				worker.incarnation),
		   1);
	EXPECT_INT(test_ask_i64(admin, "SELECT state FROM rg.worker"), WORKER_TERMINATED);
	EXPECT_REFUSED(worker.conn, "RG403", "SELECT t.join()");
	tick(admin);
	EXPECT_INT(test_ask_i64(admin,
				"SELECT count(*) FROM pg_roles JOIN rg.worker ON login = rolname"),
		   1); /* it has a session, in which it may still hear that it has ended */
	test_do(admin, "UPDATE rg.worker SET ended_at = now() - interval '11 s'");
	tick(admin); /* drops the login, and its session with it */
	EXPECT_INT(test_ask_i64(admin,
				"SELECT count(*) FROM pg_roles JOIN rg.worker ON login = rolname"),
		   0);
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
	EXPECT_INT(
		test_ask_i64(admin, "SELECT count(*) FROM rg.event WHERE kind = 'lease.rescued'"),
		1);
	EXPECT_REFUSED(worker.conn, "RG403", "SELECT t.finish(%d, %lld, 1, %lld)",
		       worker.incarnation, (long long)job, (long long)lease.token);
	worker_join(&worker); /* it was only cut off, and may come back */
	EXPECT_INT(worker_finish(&worker, &lease, OUTCOME_COMPLETED), 3);
	expect_sound(admin);
}

TEST(silence_is_not_trusted_after_a_restart_or_of_most_workers)
{
	PGconn *admin;
	const char *conninfo = queue_database(&admin);
	struct test_worker workers[3] = {worker_new(conninfo, admin, "a"),
					 worker_new(conninfo, admin, "b"),
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
	test_do(admin, "CREATE OR REPLACE FUNCTION rg.listening_since() RETURNS timestamptz"
		       " LANGUAGE sql RETURN now() - interval '25 s'");
	tick(admin);
	EXPECT_PLACE(admin, leases[0].job, "lease 1"); /* just started */
	test_do(admin, "CREATE OR REPLACE FUNCTION rg.listening_since() RETURNS timestamptz"
		       " LANGUAGE sql RETURN now() - interval '31 s'");
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
	const char *login = test_ask(admin, "SELECT login FROM rg.worker");
	int64_t job = submit_one(admin);

	(void)worker_claim(&worker);
	EXPECT_INT(test_ask_i64(admin, "SELECT rg.worker_dead(%lld, 'silent', 5::int2)",
				(long long)worker.id),
		   1);
	EXPECT_INT(test_ask_i64(admin, "SELECT rg.worker_dead(%lld, 'again', 4::int2)",
				(long long)worker.id),
		   0);
	EXPECT_INT(test_ask_i64(admin, "SELECT state FROM rg.worker"), WORKER_DEAD);
	EXPECT_INT(test_ask_i64(admin, "SELECT count(*) FROM pg_roles WHERE rolname = '%s'", login),
		   0);
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
			test_do(admin,
				"INSERT INTO rg.worker (name, login, state) VALUES ('x', 'x', %d)",
				from);
			PGresult *result = PQexecParams(
				admin, "UPDATE rg.worker SET state = $1", 1, NULL,
				(const char *const[]){(const char[]){(char)('0' + to), '\0'}}, NULL,
				NULL, 0);
			bool allowed = PQresultStatus(result) == PGRES_COMMAND_OK;
			if (allowed !=
			    (from == to || worker_state_may_become((enum worker_state)from,
								   (enum worker_state)to)))
				tap_fail(__FILE__, __LINE__, "from %d to %d", from, to);
			PQclear(result);
			test_do(admin, "DELETE FROM rg.worker");
		}
	}
}

TEST(arrays_of_a_worker_are_checked)
{
	PGconn *admin;
	const char *conninfo = queue_database(&admin);
	struct test_worker worker = worker_new(conninfo, admin, "a");

	EXPECT_REFUSED(worker.conn, "RG422",
		       "SELECT rg_worker.heartbeat(%d, '{1,2}', '{1}', '{1,2}')",
		       worker.incarnation);
	EXPECT_REFUSED(worker.conn, "RG422", "SELECT rg_worker.heartbeat(%d, NULL, '{}', '{}')",
		       worker.incarnation);
	EXPECT_REFUSED(
		worker.conn, "RG422",
		"SELECT rg_worker.release(%d, a, a::int[], a) FROM array_fill(1::int8, '{1001}') a",
		worker.incarnation);
	EXPECT_REFUSED(worker.conn, "RG422", "SELECT t.join(0)");
	EXPECT_REFUSED(worker.conn, "RG422", "SELECT t.join(100000)");
}
