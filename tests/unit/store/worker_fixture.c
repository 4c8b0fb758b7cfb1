#include "worker_fixture.h"

#include <stdlib.h>

#include "base/cleanup.h"

static char *read_file(const char *path)
{
	CLEANUP(cleanup_file) FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t size = 0;

	if (file == NULL || getdelim(&text, &size, '\0', file) < 0)
		tap_fail(__FILE__, __LINE__, "cannot read %s", path);
	return text;
}

const char *queue_database(PGconn **ret)
{
	const char *conninfo = test_database();
	CLEANUP(cleanup_free) char *helpers = read_file(HELPERS_SQL);

	*ret = test_connect(conninfo);
	test_do(*ret, "SET client_min_messages = warning");
	PGresult *result = PQexec(*ret, helpers);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		tap_fail(__FILE__, __LINE__, "helpers.sql: %s", PQresultErrorMessage(result));
	PQclear(result);
	/* A server that started just now trusts no silence yet; tests have no time for that. */
	test_do(*ret, "CREATE OR REPLACE FUNCTION rg.listening_since() RETURNS timestamptz"
		      " LANGUAGE sql RETURN now() - interval '1 day'");
	return conninfo;
}

struct test_worker worker_new(const char *conninfo, PGconn *admin, const char *name)
{
	struct test_worker worker = {0};
	const char *login =
		test_ask(admin, "SELECT login FROM rg.worker_create('%s', 'secret')", name);
	const char *as = test_conninfo_as(conninfo, login);

	worker.id = test_ask_i64(admin, "SELECT id FROM rg.worker WHERE name = '%s'", name);
	worker.conn = test_connect(as);
	worker_join(&worker);
	return worker;
}

void worker_join(struct test_worker *worker)
{
	worker->incarnation = (int)test_ask_i64(worker->conn, "SELECT t.join()");
}

struct test_lease worker_claim(const struct test_worker *worker)
{
	struct test_lease lease = {0};
	const char *text =
		test_ask(worker->conn,
			 "SELECT format('%%s %%s %%s', job, attempt, token) FROM t.claim(%d, 1)",
			 worker->incarnation);
	long long job = 0;
	long long token = 0;

	if (*text != '\0') {
		EXPECT_INT(sscanf(text, "%lld %d %lld", &job, &lease.attempt, &token), 3);
		lease.job = job;
		lease.token = token;
	}
	return lease;
}

int worker_finish(const struct test_worker *worker, const struct test_lease *lease, int outcome)
{
	return (int)test_ask_i64(worker->conn, "SELECT t.finish(%d, %lld, %d, %lld, %d)",
				 worker->incarnation, (long long)lease->job, lease->attempt,
				 (long long)lease->token, outcome);
}

void expect_sound(PGconn *admin)
{
	const char *violations =
		test_ask(admin, "SELECT string_agg(v, '; ') FROM t.violations() AS v");

	EXPECT_STR(violations, "");
}

int64_t submit_one(PGconn *admin)
{
	return test_ask_i64(admin, "SELECT t.submit(1)");
}

void tick(PGconn *admin)
{
	test_do(admin, "SELECT rg.tick()");
}

void pass_time(PGconn *admin)
{
	test_do(admin, "UPDATE rg.delayed SET run_at = now() - interval '1 s'");
	tick(admin);
}

void fall_silent(PGconn *admin, const struct test_worker *worker, int seconds)
{
	test_do(admin,
		"UPDATE rg.worker SET last_seen = now() - %d * interval '1 s' WHERE id = %lld",
		seconds, (long long)worker->id);
}
