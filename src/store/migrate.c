#include "store/migrate.h"

#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/str.h"
#include "store/queries.h"
#include "store/sql_file.h"

#define FUNCTIONS "functions" /* the name under which all re-created files are recorded */

/* What rg_meta.migration says. */
struct applied {
	PGresult *rows; /* name, sha256 */
	int count;
};

static int applied_read(struct pg *pg, struct applied *ret, struct error *err)
{
	if (pg_run(pg, &query_migrate_list, NULL, &ret->rows, err) < 0)
		return -1;
	ret->count = PQntuples(ret->rows);
	return 0;
}

/* false when the name is not recorded. */
static bool applied_find(const struct applied *applied, const char *name, bool *ret_same,
			 const uint8_t sha256[SHA256_BYTES])
{
	for (int row = 0; row < applied->count; row++) {
		if (!str_eq(pg_get_text(applied->rows, row, 0), name))
			continue;
		CLEANUP(cleanup_buf) struct buf recorded;
		buf_init(&recorded, SHA256_BYTES);
		pg_get_bytes(applied->rows, row, 1, &recorded);
		*ret_same = recorded.bytes == SHA256_BYTES &&
			    memcmp(recorded.data, sha256, SHA256_BYTES) == 0;
		return true;
	}
	return false;
}

static void functions_digest(uint8_t ret[SHA256_BYTES])
{
	const struct sql_file *const sets[] = {sql_before, sql_functions, sql_after};

	CLEANUP(cleanup_sha256) struct sha256 *digest = sha256_new();
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		for (const struct sql_file *file = sets[i]; file->name != NULL; file++) {
			sha256_update(digest, file->name, strlen(file->name) + 1);
			sha256_update(digest, file->sql, strlen(file->sql) + 1);
		}
	}
	sha256_finish(digest, ret);
}

static int record(struct pg *pg, const char *name, const uint8_t sha256[SHA256_BYTES],
		  struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};

	pg_param_text(&params, name);
	pg_param_bytes(&params, sha256, SHA256_BYTES);
	return pg_do(pg, &query_migrate_record, &params, NULL, err);
}

static int run_files(struct pg *pg, const struct sql_file *files, struct error *err)
{
	for (const struct sql_file *file = files; file->name != NULL; file++) {
		if (pg_run_script(pg, file->sql, err) < 0)
			return error_wrap(err, "%s.sql", file->name);
	}
	return 0;
}

/* Refuses a database that a newer or foreign program has migrated. */
static int check_history(const struct applied *applied, struct error *err)
{
	for (int row = 0; row < applied->count; row++) {
		const char *name = pg_get_text(applied->rows, row, 0);
		const struct sql_file *file = sql_schema;

		if (str_eq(name, FUNCTIONS))
			continue;
		while (file->name != NULL && !str_eq(file->name, name))
			file++;
		if (file->name == NULL) {
			error_set(err, ERR_CONFLICT,
				  "the database has migration %s, which this program does not know",
				  name);
			return error_hint(err,
					  "a newer RGrid has migrated it: upgrade this program");
		}
	}
	return 0;
}

static int apply_schema_file(struct pg *pg, const struct sql_file *file, struct error *err)
{
	CLEANUP(cleanup_pgresult) PGresult *rows = NULL;
	struct applied applied;
	uint8_t sha256[SHA256_BYTES];
	bool same = false;

	sha256_of(file->sql, strlen(file->sql), sha256);
	if (pg_do(pg, &query_migrate_lock, NULL, NULL, err) < 0 ||
	    applied_read(pg, &applied, err) < 0)
		return -1;
	rows = applied.rows;
	if (check_history(&applied, err) < 0)
		return -1;
	if (applied_find(&applied, file->name, &same, sha256)) {
		if (same)
			return 0;
		error_set(err, ERR_CONFLICT,
			  "migration %s was applied with other contents than this program's",
			  file->name);
		return error_hint(err, "use the program that made the database, or a new database");
	}
	if (pg_run_script(pg, file->sql, err) < 0)
		return error_wrap(err, "%s.sql", file->name);
	return record(pg, file->name, sha256, err);
}

static int apply_functions(struct pg *pg, struct error *err)
{
	uint8_t sha256[SHA256_BYTES];

	functions_digest(sha256);
	if (pg_do(pg, &query_migrate_lock, NULL, NULL, err) < 0 ||
	    run_files(pg, sql_functions, err) < 0)
		return -1;
	return record(pg, FUNCTIONS, sha256, err);
}

static int prepare_database(struct pg *pg, struct error *err)
{
	if (pg_do(pg, &query_migrate_lock, NULL, NULL, err) < 0 ||
	    run_files(pg, sql_before, err) < 0 ||
	    pg_do(pg, &query_migrate_become_owner, NULL, NULL, err) < 0 ||
	    pg_do(pg, &query_migrate_create_schema, NULL, NULL, err) < 0 ||
	    pg_do(pg, &query_migrate_create_table, NULL, NULL, err) < 0)
		return -1;
	return pg_do(pg, &query_migrate_become_self, NULL, NULL, err);
}

static int finish_database(struct pg *pg, struct error *err)
{
	if (pg_do(pg, &query_migrate_lock, NULL, NULL, err) < 0)
		return -1;
	return run_files(pg, sql_after, err);
}

static int end_step(struct pg *pg, int result, struct error *err)
{
	if (result < 0) {
		pg_rollback(pg);
		return -1;
	}
	return pg_commit(pg, err);
}

static int step_as_self(struct pg *pg, int (*step)(struct pg *pg, struct error *err),
			struct error *err)
{
	if (pg_begin(pg, err) < 0)
		return -1;
	return end_step(pg, step(pg, err), err);
}

static int run_as_owner(struct pg *pg, struct error *err)
{
	if (pg_do(pg, &query_migrate_become_owner, NULL, NULL, err) < 0)
		return -1;
	for (const struct sql_file *file = sql_schema; file->name != NULL; file++) {
		if (pg_begin(pg, err) < 0 ||
		    end_step(pg, apply_schema_file(pg, file, err), err) < 0)
			return -1;
	}
	if (step_as_self(pg, apply_functions, err) < 0)
		return -1;
	return pg_do(pg, &query_migrate_become_self, NULL, NULL, err);
}

int migrate_run(const char *conninfo, struct error *err)
{
	CLEANUP(cleanup_pg) struct pg *pg = NULL;

	if (pg_open(conninfo, &pg, err) < 0)
		return -1;
	if (step_as_self(pg, prepare_database, err) < 0 || run_as_owner(pg, err) < 0 ||
	    step_as_self(pg, finish_database, err) < 0)
		return error_wrap(err, "cannot migrate the database");
	return 0;
}

int migrate_check(struct pg *pg, bool *ret_current, struct error *err)
{
	CLEANUP(cleanup_pgresult) PGresult *has_table = NULL;
	CLEANUP(cleanup_pgresult) PGresult *rows = NULL;
	struct applied applied;
	uint8_t sha256[SHA256_BYTES];
	int known = 1; /* the functions */
	bool same = false;

	if (pg_run(pg, &query_migrate_has_table, NULL, &has_table, err) < 0)
		return -1;
	if (!pg_get_bool(has_table, 0, 0)) {
		*ret_current = false;
		return 0;
	}
	if (applied_read(pg, &applied, err) < 0)
		return -1;
	rows = applied.rows;
	functions_digest(sha256);
	bool current = applied_find(&applied, FUNCTIONS, &same, sha256) && same;
	for (const struct sql_file *file = sql_schema; file->name != NULL; file++, known++) {
		sha256_of(file->sql, strlen(file->sql), sha256);
		current = current && applied_find(&applied, file->name, &same, sha256) && same;
	}
	*ret_current = current && applied.count == known;
	return 0;
}
