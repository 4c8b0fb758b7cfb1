#include <stdlib.h>

#include "database.h"
#include "store/migrate.h"
#include "store/pg.h"
#include "tap.h"

/* Everything that a migration makes, as one text: relations, columns, constraints, functions,
 * rights. */
static const char shape[] =
	"SELECT md5(string_agg(line, E'\\n' ORDER BY line COLLATE \"C\")) FROM ("
	" SELECT format('%s %s %s %s', c.oid::regclass, c.relkind, c.relowner::regrole, c.relacl) "
	"AS line"
	" FROM pg_class c WHERE c.relnamespace IN ('rg'::regnamespace, 'rg_worker'::regnamespace)"
	" UNION ALL SELECT format('%s %s %s %s', attrelid::regclass, attname, atttypid::regtype, "
	"attnotnull)"
	" FROM pg_attribute JOIN pg_class c ON c.oid = attrelid WHERE c.relnamespace = "
	"'rg'::regnamespace"
	" AND attnum > 0"
	" UNION ALL SELECT format('%s %s', conrelid::regclass, pg_get_constraintdef(oid))"
	" FROM pg_constraint WHERE connamespace = 'rg'::regnamespace"
	" UNION ALL SELECT pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class c ON c.oid = "
	"indexrelid"
	" WHERE c.relnamespace = 'rg'::regnamespace"
	" UNION ALL SELECT pg_get_functiondef(oid) || proacl::text || proowner::regrole FROM "
	"pg_proc"
	" WHERE pronamespace IN ('rg'::regnamespace, 'rg_worker'::regnamespace)"
	" UNION ALL SELECT format('%s %s', nspname, nspacl) FROM pg_namespace WHERE nspname LIKE "
	"'rg%'"
	") AS s";

static bool is_current(const char *conninfo)
{
	struct error err;
	bool current = false;
	CLEANUP(cleanup_pg) struct pg *pg = NULL;

	EXPECT_OK(pg_open(conninfo, &pg, &err), err);
	EXPECT_OK(migrate_check(pg, &current, &err), err);
	return current;
}

TEST(migrates_an_empty_database)
{
	struct error err;
	const char *conninfo = test_database_empty();

	EXPECT(!is_current(conninfo));
	EXPECT_OK(migrate_run(conninfo, &err), err);
	EXPECT(is_current(conninfo));
}

TEST(any_role_of_the_control_plane_may_check)
{
	const char *conninfo = test_database();

	EXPECT(is_current(test_conninfo_as(conninfo, "rgrid_api")));
	EXPECT(is_current(test_conninfo_as(conninfo, "rgrid_orchestrator")));
}

TEST(migrating_again_changes_nothing)
{
	struct error err;
	const char *conninfo = test_database();
	PGconn *conn = test_connect(conninfo);
	const char *fresh = test_ask(conn, "%s", shape);

	EXPECT_OK(migrate_run(conninfo, &err), err);
	EXPECT(is_current(conninfo));
	const char *again = test_ask(conn, "%s", shape);
	EXPECT_STR(again, fresh);
}

TEST(functions_of_before_are_dropped)
{
	struct error err;
	const char *conninfo = test_database();
	PGconn *conn = test_connect(conninfo);

	test_do(conn, "CREATE FUNCTION rg.tick(a int) RETURNS int LANGUAGE sql RETURN a");
	test_do(conn, "CREATE FUNCTION rg_worker.forgotten() RETURNS int LANGUAGE sql RETURN 1");
	EXPECT_OK(migrate_run(conninfo, &err), err);
	EXPECT_INT(
		test_ask_i64(conn,
			     "SELECT count(*) FROM pg_proc WHERE proname IN ('tick', 'forgotten')"),
		1);
}

TEST(changed_functions_are_noticed)
{
	struct error err;
	const char *conninfo = test_database();
	PGconn *conn = test_connect(conninfo);

	test_do(conn, "UPDATE rg_meta.migration SET sha256 = '\\x00' WHERE name = 'functions'");
	EXPECT(!is_current(conninfo));
	EXPECT_OK(migrate_run(conninfo, &err), err);
	EXPECT(is_current(conninfo));
}

TEST(an_edited_migration_is_refused)
{
	struct error err;
	const char *conninfo = test_database();
	PGconn *conn = test_connect(conninfo);

	test_do(conn, "UPDATE rg_meta.migration SET sha256 = '\\x00' WHERE name = '0001_init'");
	EXPECT(!is_current(conninfo));
	EXPECT_ERR(migrate_run(conninfo, &err), err, ERR_CONFLICT);
	EXPECT(strstr(err.msg, "0001_init") != NULL);
}

TEST(a_newer_database_is_refused)
{
	struct error err;
	const char *conninfo = test_database();
	PGconn *conn = test_connect(conninfo);

	test_do(conn, "INSERT INTO rg_meta.migration VALUES ('9999_future', '\\x00')");
	EXPECT(!is_current(conninfo));
	EXPECT_ERR(migrate_run(conninfo, &err), err, ERR_CONFLICT);
	EXPECT(strstr(err.msg, "9999_future") != NULL);
	EXPECT(err.hint[0] != '\0');
}

TEST(the_owner_of_a_managed_database_may_migrate)
{
	struct error err;
	const char *conninfo = test_database_empty();
	PGconn *conn = test_connect(conninfo);

	test_do(conn, "DO $$ BEGIN CREATE ROLE managed LOGIN CREATEROLE;"
		      " EXCEPTION WHEN duplicate_object THEN NULL; END $$");
	test_do(conn, "DO $$ BEGIN EXECUTE format('ALTER DATABASE %%I OWNER TO managed',"
		      " current_database()); END $$");
	const char *managed = test_conninfo_as(conninfo, "managed");
	EXPECT_OK(migrate_run(managed, &err), err);
	EXPECT_OK(migrate_run(managed, &err), err);
	EXPECT(is_current(managed));
}

TEST(an_unreachable_server_is_said_so)
{
	struct error err;

	EXPECT_ERR(migrate_run("host=/nowhere dbname=x", &err), err, ERR_UNAVAILABLE);
	EXPECT(strstr(err.msg, "/nowhere") != NULL);
}
