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
	free(test_ask(*ret, "SET client_min_messages = warning"));
	PGresult *result = PQexec(*ret, helpers);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		tap_fail(__FILE__, __LINE__, "helpers.sql: %s", PQresultErrorMessage(result));
	PQclear(result);
	/* A server that started just now trusts no silence yet; tests have no time for that. */
	free(test_ask(*ret, "CREATE OR REPLACE FUNCTION rg.listening_since() RETURNS timestamptz"
			    " LANGUAGE sql RETURN now() - interval '1 day'"));
	return conninfo;
}

struct test_worker worker_new(const char *conninfo, PGconn *admin, const char *name)
{
	struct test_worker worker = {0};
	CLEANUP(cleanup_free) char *login =
		test_ask(admin, "SELECT login FROM rg.worker_create('%s', 'secret')", name);
	CLEANUP(cleanup_free) char *as = test_conninfo_as(conninfo, login);

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
	CLEANUP(cleanup_free) char *text =
		test_ask(worker->conn, "SELECT format('%%s %%s %%s', job, attempt, token) FROM t.claim(%d, 1)",
			 worker->incarnation);
	char *rest = text;

	if (*text != '\0') {
		lease.job = strtoll(rest, &rest, 10);
		lease.attempt = (int)strtoll(rest, &rest, 10);
		lease.token = strtoll(rest, &rest, 10);
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
	CLEANUP(cleanup_free) char *violations =
		test_ask(admin, "SELECT string_agg(v, '; ') FROM t.violations() AS v");

	EXPECT_STR(violations, "");
}
