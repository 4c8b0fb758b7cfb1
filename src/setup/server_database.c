/* The steps of `rgrid server setup` in PostgreSQL: database, schema, logins. */
#include "base/encode.h"
#include "base/str.h"
#include "conf/conninfo.h"
#include "setup/env_file.h"
#include "setup/server_steps.h"
#include "store/migrate.h"
#include "store/queries.h"
#include "store/scram.h"

#define DATABASE_VARIABLE "RGRID_DATABASE"
#define DATA_DIR_VARIABLE "RGRID_DATA_DIR"
#define PASSWORD_CHARS	  40

/* A daemon's login, and the file that says it. */
struct login {
	const char *role;
	const char *env_file;
	bool has_data_dir; /* the file names the data directory, too */
};

static const struct login api_login = {"rgrid_api", SERVER_API_ENV, true};
static const struct login orchestrator_login = {"rgrid_orchestrator", ENV_FILE_DEFAULT, false};

static int database_exists(struct server_task *task, bool *ret, struct error *err)
{
	CLEANUP(cleanup_pg) struct pg *pg = NULL;
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;

	pg_param_text(&params, SERVER_DATABASE);
	if (pg_debian_connect(&task->cluster, &pg, err) < 0 ||
	    pg_run(pg, &query_server_database_exists, &params, &result, err) < 0)
		return -1;
	*ret = pg_get_bool(result, 0, 0);
	return 0;
}

/* Runs the statement that the query makes of the parameters. */
static int run_made(struct server_task *task, const struct pg_statement *query,
		    const struct pg_params *params, struct error *err)
{
	CLEANUP(cleanup_pg) struct pg *pg = NULL;
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;

	if (pg_debian_connect(&task->cluster, &pg, err) < 0 ||
	    pg_run(pg, query, params, &result, err) < 0)
		return -1;
	return pg_run_script(pg, pg_get_text(result, 0, 0), err);
}

int server_look_database(struct server_task *task, bool *ret_needed, struct error *err)
{
	bool exists = false;

	server_note(task, "Database %s in PostgreSQL %s/%s, port %u", SERVER_DATABASE,
		    task->cluster.version, task->cluster.name, (unsigned)task->cluster.port);
	if (database_exists(task, &exists, err) < 0)
		return -1;
	*ret_needed = !exists;
	return 0;
}

int server_apply_database(struct server_task *task, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};

	pg_param_text(&params, SERVER_DATABASE);
	return run_made(task, &query_server_create_database, &params, err);
}

int server_look_schema(struct server_task *task, bool *ret_needed, struct error *err)
{
	CLEANUP(cleanup_pg) struct pg *pg = NULL;
	bool exists = false;
	bool current = false;

	server_note(task, "Schema, functions and roles of this version");
	if (database_exists(task, &exists, err) < 0)
		return -1;
	if (exists && (pg_debian_connect_to(&task->cluster, SERVER_DATABASE, &pg, err) < 0 ||
		       migrate_check(pg, &current, err) < 0))
		return -1;
	*ret_needed = !current;
	return 0;
}

int server_apply_schema(struct server_task *task, struct error *err)
{
	return pg_debian_migrate(&task->cluster, SERVER_DATABASE, err);
}

static bool value_is(const char *conninfo, const char *key, const char *wanted)
{
	CLEANUP(cleanup_free) char *value = conninfo_value(conninfo, key);
	return value != NULL && str_eq(value, wanted);
}

/* Whether it is one that we wrote: what it says is ours to replace. */
static bool is_our_login(const struct login *login, const char *conninfo)
{
	return value_is(conninfo, "host", "127.0.0.1") && value_is(conninfo, "user", login->role) &&
	       value_is(conninfo, "dbname", SERVER_DATABASE);
}

/* Whether PostgreSQL speaks TLS. Then our logins are bound to its session: another program that
 * took the port while PostgreSQL was down cannot pose as it, nor pass them on. */
static int speaks_tls(const struct server_task *task, bool *ret, struct error *err)
{
	CLEANUP(cleanup_pg_in_force) struct pg_in_force in_force = {0};

	if (pg_debian_in_force(&task->cluster, SERVER_DATABASE, &in_force, err) < 0)
		return -1;
	*ret = in_force.ssl;
	return 0;
}

static bool says_data_dir(const struct login *login)
{
	CLEANUP(cleanup_buf) struct buf value;

	buf_init(&value, ENV_FILE_BYTES_MAX);
	return !login->has_data_dir || env_file_find(login->env_file, DATA_DIR_VARIABLE, &value);
}

/* Whether the file's login must be made anew. One that is somebody else's is never replaced. */
static int login_is_dead(const struct login *login, bool *ret, struct error *err)
{
	CLEANUP(cleanup_pg) struct pg *pg = NULL;
	CLEANUP(cleanup_buf) struct buf conninfo;

	buf_init(&conninfo, ENV_FILE_BYTES_MAX);
	*ret = true;
	if (!env_file_find(login->env_file, DATABASE_VARIABLE, &conninfo))
		return 0;
	if (pg_open(conninfo.data, &pg, err) == 0) {
		*ret = false;
		return 0;
	}
	if (!is_our_login(login, conninfo.data)) {
		(void)error_wrap(err, DATABASE_VARIABLE " in %s, which RGrid did not write",
				 login->env_file);
		return error_hint(err, "mend that line, or remove it for a login of RGrid's");
	}
	error_clear(err);
	return 0;
}

/* Whether it is a login of ours that is not bound, and could be. */
static int login_is_loose(const struct server_task *task, const struct login *login, bool *ret,
			  struct error *err)
{
	CLEANUP(cleanup_buf) struct buf conninfo;

	buf_init(&conninfo, ENV_FILE_BYTES_MAX);
	*ret = false;
	if (!env_file_find(login->env_file, DATABASE_VARIABLE, &conninfo) ||
	    !is_our_login(login, conninfo.data) ||
	    value_is(conninfo.data, "channel_binding", "require"))
		return 0;
	return speaks_tls(task, ret, err);
}

static int look_login(struct server_task *task, const struct login *login, bool *ret_needed,
		      struct error *err)
{
	bool dead = false;
	bool loose = false;

	server_note(task, "Login %s in %s", login->role, login->env_file);
	if (login_is_dead(login, &dead, err) < 0 || login_is_loose(task, login, &loose, err) < 0)
		return -1;
	*ret_needed = dead || loose || !server_env_is_ours(task, login->env_file) ||
		      !says_data_dir(login);
	return 0;
}

static int make_login(struct server_task *task, const struct login *login, struct error *err)
{
	char password[PASSWORD_CHARS + 1];
	char verifier[SCRAM_VERIFIER_BYTES];
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	bool changed = false;
	bool tls = false;

	if (speaks_tls(task, &tls, err) < 0)
		return -1;
	base62_random(password, PASSWORD_CHARS);
	scram_verifier_random(password, verifier);
	/* A URI has neither blanks nor quotes, nor, with one parameter, a "&": systemd and shells
	 * read it alike. */
	CLEANUP(cleanup_free)
	char *uri = xasprintf("postgresql://%s:%s@127.0.0.1:%u/%s%s", login->role, password,
			      (unsigned)task->cluster.port, SERVER_DATABASE,
			      tls ? "?channel_binding=require" : "");
	const struct env_assignment assignment = {DATABASE_VARIABLE, uri};
	/* The file first: what it says is made good, or, if we die in between, made anew by the
	 * next run; daemons that run keep a login that works until then. */
	if (env_file_assign(login->env_file, &assignment, 1, &changed, err) < 0)
		return -1;
	server_moment("login-written");
	pg_param_text(&params, login->role);
	pg_param_text(&params, verifier);
	return run_made(task, &query_server_set_verifier, &params, err);
}

static int apply_login(struct server_task *task, const struct login *login, struct error *err)
{
	const struct env_assignment data_dir = {DATA_DIR_VARIABLE, SERVER_STATE_DIR};
	bool dead = false;
	bool loose = false;
	bool changed = false;

	if (login_is_dead(login, &dead, err) < 0 || login_is_loose(task, login, &loose, err) < 0 ||
	    ((dead || loose) && make_login(task, login, err) < 0))
		return -1;
	if (!says_data_dir(login) &&
	    env_file_assign(login->env_file, &data_dir, 1, &changed, err) < 0)
		return -1;
	if (server_env_own(task, login->env_file, err) < 0 || login_is_dead(login, &dead, err) < 0)
		return -1;
	if (!dead)
		return 0;
	(void)error_set(err, ERR_CONFLICT, "PostgreSQL refuses the new login %s", login->role);
	return error_hint(err, "pg_hba.conf must let it in from 127.0.0.1 with scram-sha-256");
}

int server_look_api_login(struct server_task *task, bool *ret_needed, struct error *err)
{
	return look_login(task, &api_login, ret_needed, err);
}

int server_apply_api_login(struct server_task *task, struct error *err)
{
	return apply_login(task, &api_login, err);
}

int server_look_orchestrator_login(struct server_task *task, bool *ret_needed, struct error *err)
{
	return look_login(task, &orchestrator_login, ret_needed, err);
}

int server_apply_orchestrator_login(struct server_task *task, struct error *err)
{
	return apply_login(task, &orchestrator_login, err);
}
