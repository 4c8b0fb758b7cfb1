#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/str.h"
#include "database.h"
#include "store/pg.h"
#include "store/queries.h"
#include "tap.h"

static const struct pg_statement backend_pid = {.name = "pid", .sql = "SELECT pg_backend_pid()"};
static const struct pg_statement one_over = {
	.name = "one_over", .sql = "SELECT 1 / $1::int8", .param_count = 1};

static struct pg *open_pg(void)
{
	struct error err;
	struct pg *pg = NULL;

	EXPECT_OK(pg_open(getenv("RGRID_TEST_CONNINFO"), &pg, &err), err);
	return pg;
}

static int64_t ask_pid(struct pg *pg)
{
	struct error err;
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;

	EXPECT_OK(pg_run(pg, &backend_pid, NULL, &result, &err), err);
	return pg_get_i64(result, 0, 0);
}

/* Ends the session of `pg` from outside, and waits until it is gone. */
static void cut(struct pg *pg)
{
	PGconn *conn = test_connect(getenv("RGRID_TEST_CONNINFO"));
	int64_t pid = ask_pid(pg);

	test_do(conn, "SELECT pg_terminate_backend(%lld, 10000)", (long long)pid);
}

static void expect_raised(struct pg *pg, const char *sqlstate, struct error *err)
{
	const struct pg_statement statement = {
		.name = "raise", .sql = "SELECT raise_it($1)", .param_count = 1};
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};

	pg_param_text(&params, sqlstate);
	EXPECT_INT(pg_do(pg, &statement, &params, NULL, err), -1);
}

TEST(sqlstates_become_codes)
{
	static const struct {
		const char *sqlstate;
		enum error_code code;
	} table[] = {
		{"23505", ERR_CONFLICT},	{"40001", ERR_CONFLICT},
		{"40P01", ERR_CONFLICT},	{"53100", ERR_NO_SPACE},
		{"RG401", ERR_UNAUTHENTICATED}, {"RG403", ERR_FORBIDDEN},
		{"RG404", ERR_NOT_FOUND},	{"RG409", ERR_CONFLICT},
		{"RG422", ERR_UNPROCESSABLE},	{"22012", ERR_INTERNAL},
		{"53300", ERR_UNAVAILABLE},	{"57P03", ERR_UNAVAILABLE},
		{"25006", ERR_UNAVAILABLE},
	};
	struct error err;
	CLEANUP(cleanup_pg) struct pg *pg = open_pg();

	EXPECT_OK(pg_run_script(
			  pg,
			  "CREATE OR REPLACE FUNCTION pg_temp.raise_it(state text) RETURNS void "
			  "LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'so it is' "
			  "USING ERRCODE = state, HINT = 'do this'; END $$",
			  &err),
		  err);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		CLEANUP(cleanup_pg) struct pg *fresh = open_pg();
		EXPECT_OK(pg_run_script(fresh,
					"CREATE OR REPLACE FUNCTION public.raise_it(state text) "
					"RETURNS void LANGUAGE plpgsql AS $$ BEGIN "
					"RAISE EXCEPTION 'so it is' "
					"USING ERRCODE = state, HINT = 'do this'; END $$; "
					"SET search_path = public",
					&err),
			  err);
		expect_raised(fresh, table[i].sqlstate, &err);
		EXPECT_STR(err.sqlstate, table[i].sqlstate);
		EXPECT_INT(err.code, table[i].code);
		EXPECT_STR(err.msg, str_has_prefix(table[i].sqlstate, "RG") ? "so it is"
									    : "database: so it is");
		EXPECT_STR(err.hint, "do this");
	}
}

TEST(an_error_leaves_the_connection_usable)
{
	struct error err;
	CLEANUP(cleanup_pg) struct pg *pg = open_pg();
	int64_t pid = ask_pid(pg);
	CLEANUP(cleanup_pg_params) struct pg_params zero = {0};
	CLEANUP(cleanup_pg_params) struct pg_params one = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;

	pg_param_i64(&zero, 0);
	pg_param_i64(&one, 1);
	EXPECT_ERR(pg_run(pg, &one_over, &zero, &result, &err), err, ERR_INTERNAL);
	EXPECT_OK(pg_run(pg, &one_over, &one, &result, &err), err);
	EXPECT_INT(pg_get_i64(result, 0, 0), 1);
	EXPECT_INT(ask_pid(pg), pid);
}

TEST(an_idle_connection_that_was_cut_is_reopened)
{
	CLEANUP(cleanup_pg) struct pg *pg = open_pg();
	int64_t pid = ask_pid(pg);

	cut(pg);
	EXPECT(ask_pid(pg) != pid);
}

TEST(a_cut_within_a_transaction_fails_all_of_it)
{
	struct error err;
	CLEANUP(cleanup_pg) struct pg *pg = open_pg();
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;

	EXPECT_OK(pg_begin(pg, &err), err);
	cut(pg);
	EXPECT_ERR(pg_run(pg, &backend_pid, NULL, &result, &err), err, ERR_UNAVAILABLE);
	EXPECT_ERR(pg_run(pg, &backend_pid, NULL, &result, &err), err, ERR_UNAVAILABLE);
	EXPECT_ERR(pg_commit(pg, &err), err, ERR_UNAVAILABLE);
	pg_rollback(pg);
	EXPECT(ask_pid(pg) > 0);
}

TEST(rollback_undoes_and_commit_keeps)
{
	struct error err;
	CLEANUP(cleanup_pg) struct pg *pg = open_pg();
	PGconn *conn = test_connect(getenv("RGRID_TEST_CONNINFO"));

	EXPECT_OK(pg_run_script(pg, "CREATE TABLE public.kept (n int)", &err), err);
	EXPECT_OK(pg_begin(pg, &err), err);
	EXPECT_OK(pg_run_script(pg, "INSERT INTO public.kept VALUES (1)", &err), err);
	pg_rollback(pg);
	EXPECT_INT(test_ask_i64(conn, "SELECT count(*) FROM kept"), 0);
	EXPECT_OK(pg_begin(pg, &err), err);
	EXPECT_OK(pg_run_script(pg, "INSERT INTO public.kept VALUES (1)", &err), err);
	EXPECT_OK(pg_commit(pg, &err), err);
	EXPECT_INT(test_ask_i64(conn, "SELECT count(*) FROM kept"), 1);
	test_do(conn, "DROP TABLE kept");
}

TEST(commit_of_a_failed_transaction_is_an_error)
{
	struct error err;
	CLEANUP(cleanup_pg) struct pg *pg = open_pg();

	EXPECT_OK(pg_begin(pg, &err), err);
	EXPECT_INT(pg_run_script(pg, "SELECT 1/0", &err), -1);
	EXPECT_INT(pg_commit(pg, &err), -1);
	pg_rollback(pg);
	EXPECT_OK(pg_begin(pg, &err), err);
	EXPECT_OK(pg_commit(pg, &err), err);
}

TEST(notifications_wake_also_after_a_reconnect)
{
	struct error err;
	bool woken = true;
	CLEANUP(cleanup_pg) struct pg *pg = open_pg();
	PGconn *conn = test_connect(getenv("RGRID_TEST_CONNINFO"));

	EXPECT_OK(pg_listen(pg, "rg_wake", &err), err);
	EXPECT_OK(pg_wait(pg, 0, &woken, &err), err);
	EXPECT(!woken);
	EXPECT_OK(pg_wait(pg, 20, &woken, &err), err);
	EXPECT(!woken);
	test_do(conn, "NOTIFY rg_wake");
	EXPECT_OK(pg_wait(pg, 10000, &woken, &err), err);
	EXPECT(woken);

	cut(pg);
	(void)ask_pid(pg); /* reopens; what was sent meanwhile is unknown, so it counts as woken */
	EXPECT_OK(pg_wait(pg, 0, &woken, &err), err);
	EXPECT(woken);
	EXPECT_OK(pg_wait(pg, 0, &woken, &err), err);
	EXPECT(!woken);
	test_do(conn, "NOTIFY rg_wake");
	EXPECT_OK(pg_wait(pg, 10000, &woken, &err), err);
	EXPECT(woken);
}

TEST(a_cut_while_waiting_is_an_error_once)
{
	struct error err;
	bool woken = false;
	CLEANUP(cleanup_pg) struct pg *pg = open_pg();

	EXPECT_OK(pg_listen(pg, "rg_wake", &err), err);
	cut(pg);
	if (pg_wait(pg, 5000, &woken, &err) < 0) {
		EXPECT_INT(err.code, ERR_UNAVAILABLE);
		EXPECT_OK(pg_wait(pg, 5000, &woken, &err), err);
	}
	EXPECT(woken);
}

TEST(bytes_and_nulls_are_read)
{
	struct error err;
	const struct pg_statement statement = {
		.name = "values", .sql = "SELECT '\\x00ff5c'::bytea, NULL::text, true, -5, ''"};
	CLEANUP(cleanup_pg) struct pg *pg = open_pg();
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	CLEANUP(cleanup_buf) struct buf buf;

	buf_init(&buf, 16);
	EXPECT_OK(pg_run(pg, &statement, NULL, &result, &err), err);
	pg_get_bytes(result, 0, 0, &buf);
	EXPECT_INT(buf.bytes, 3);
	EXPECT(memcmp(buf.data, "\0\xff\\", 3) == 0);
	EXPECT_STR(pg_get_text(result, 0, 1), "");
	EXPECT(pg_get_text_or_null(result, 0, 1) == NULL);
	EXPECT(pg_get_text_or_null(result, 0, 4) != NULL);
	EXPECT_INT(pg_get_i64(result, 0, 1), 0);
	EXPECT(pg_get_bool(result, 0, 2));
	EXPECT(!pg_get_bool(result, 0, 1));
	EXPECT_INT(pg_get_i64(result, 0, 3), -5);
}

static void *use_pool(void *context)
{
	struct pg_pool *pool = context;

	for (int i = 0; i < 50; i++) {
		struct pg *pg = pg_pool_take(pool);
		if (ask_pid(pg) <= 0)
			return context;
		pg_pool_give(pool, pg);
	}
	return NULL;
}

TEST(a_pool_serves_more_threads_than_connections)
{
	struct error err;
	struct pg_pool *pool = NULL;
	pthread_t threads[8];

	EXPECT_OK(pg_pool_new(getenv("RGRID_TEST_CONNINFO"), 3, &pool, &err), err);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		EXPECT(pthread_create(&threads[i], NULL, use_pool, pool) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		void *failed = pool;
		EXPECT(pthread_join(threads[i], &failed) == 0);
		EXPECT(failed == NULL);
	}
	pg_pool_free(pool);
}

TEST(a_pool_says_when_nobody_answers)
{
	struct error err;
	struct pg_pool *pool = NULL;

	EXPECT_ERR(pg_pool_new("host=/nowhere", 3, &pool, &err), err, ERR_UNAVAILABLE);
}
