#include <stdlib.h>

#include "base/str.h"
#include "database.h"
#include "store/queries.h"
#include "tap.h"

static const struct {
	const char *file;
	const struct pg_statement *statement;
} statements[] = {
#define STATEMENT(file_name, statement_name) {#file_name, &query_##statement_name},
#include "store/queries.def"
#undef STATEMENT
};

/* Who runs a file's statements. */
static const char *role_of(const char *file)
{
	if (str_eq(file, "orchestrator") || str_eq(file, "fleet"))
		return "rgrid_orchestrator";
	if (str_eq(file, "migrate") || str_eq(file, "session") || str_eq(file, "setup") ||
	    str_eq(file, "worker_link") || str_eq(file, "exposure") || str_eq(file, "server"))
		return NULL; /* a superuser, anybody, or a worker: tested where they are used */
	return "rgrid_api";
}

TEST(every_statement_prepares)
{
	PGconn *conn = test_connect(test_database());

	for (size_t i = 0; i < ARRAY_SIZE(statements); i++) {
		const struct pg_statement *statement = statements[i].statement;
		PGresult *result = PQprepare(conn, statement->name, statement->sql, 0, NULL);
		if (PQresultStatus(result) != PGRES_COMMAND_OK)
			tap_fail(__FILE__, __LINE__, "%s: %s", statement->name,
				 PQresultErrorMessage(result));
		PQclear(result);
		result = PQdescribePrepared(conn, statement->name);
		EXPECT_INT(PQnparams(result), statement->param_count);
		PQclear(result);
	}
}

/* EXPLAIN EXECUTE checks the rights on tables without running anything. Utility statements have no
 * plan, and nothing to check. */
static void expect_allowed(PGconn *conn, const struct pg_statement *statement)
{
	char sql[256];
	int used = snprintf(sql, sizeof(sql), "EXPLAIN EXECUTE %s", statement->name);

	for (int n = 0; n < statement->param_count; n++)
		used += snprintf(sql + used, sizeof(sql) - (size_t)used, "%sNULL",
				 n > 0 ? ", " : "(");
	(void)snprintf(sql + used, sizeof(sql) - (size_t)used, "%s",
		       statement->param_count > 0 ? ")" : "");
	PQclear(PQprepare(conn, statement->name, statement->sql, 0, NULL));
	test_do(conn, "%s", sql);
}

TEST(every_statement_is_allowed_to_the_role_that_runs_it)
{
	const char *conninfo = test_database();
	PGconn *api = test_connect(test_conninfo_as(conninfo, "rgrid_api"));
	PGconn *orchestrator = test_connect(test_conninfo_as(conninfo, "rgrid_orchestrator"));

	for (size_t i = 0; i < ARRAY_SIZE(statements); i++) {
		const struct pg_statement *statement = statements[i].statement;
		const char *role = role_of(statements[i].file);

		if (role != NULL && strncasecmp(statement->sql, "NOTIFY", 6) != 0 &&
		    strncasecmp(statement->sql, "SET", 3) != 0)
			expect_allowed(str_eq(role, "rgrid_api") ? api : orchestrator, statement);
	}
}
