/* A step of `rgrid server setup`: the daemons run, or the user is told how to run them. */
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/buf.h"
#include "base/spawn.h"
#include "base/str.h"
#include "setup/db_proof.h"
#include "setup/env_file.h"
#include "setup/server_stamp.h"
#include "setup/server_steps.h"
#include "setup/token_file.h"
#include "store/queries.h"

#define UNIT_ORCHESTRATOR "rgrid-orchestrator.service"
#define DAEMON_FILES_MAX  8
#define UNIT_BYTES_MAX	  ((size_t)1024 * 1024)

char *server_commands(const struct server_task *task)
{
	/* root's home is closed to the user, who would look for a configuration there. */
	static const char as_user[] =
		"exec env HOME=" SERVER_STATE_DIR " setpriv --reuid=" SERVER_USER
		" --regid=" SERVER_USER " --init-groups";
	const char *directory = task->options->program_directory;

	return xasprintf("  (set -a; . %s; %s %s/rgridd api)\n"
			 "  (set -a; . %s; . %s; %s %s/rgridd api)\n"
			 "  (set -a; . %s; . %s; %s %s/rgridd orchestrator)\n",
			 SERVER_API_ENV, as_user, directory, SERVER_API_ENV, SERVER_WORKERS_ENV,
			 as_user, directory, ENV_FILE_DEFAULT, TOKEN_FILE_DEFAULT, as_user,
			 directory);
}

static bool env_has(const char *name)
{
	CLEANUP(cleanup_buf) struct buf value;

	buf_init(&value, ENV_FILE_BYTES_MAX);
	return (env_file_find(ENV_FILE_DEFAULT, name, &value) ||
		env_file_find(SERVER_COMMON_ENV, name, &value)) &&
	       value.bytes > 0;
}

static bool has_token(void)
{
	CLEANUP(cleanup_buf) struct buf token;

	buf_init(&token, ENV_FILE_BYTES_MAX);
	return token_file_find(TOKEN_FILE_DEFAULT, &token);
}

/* Whether workers, who come to the private address alone, find PostgreSQL there as they demand it
 * and are let in. Servers made before could only be paid for: none of them could ever enrol. */
static int is_exposed(const struct server_task *task, bool *ret, struct error *err)
{
	CLEANUP(cleanup_pg) struct pg *pg = NULL;
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	struct error unproven = {0};

	pg_param_text(&params, SERVER_DATABASE);
	if (pg_debian_connect(&task->cluster, &pg, err) < 0 ||
	    pg_run(pg, &query_server_lets_workers_in, &params, &result, err) < 0)
		return -1;
	*ret = pg_get_bool(result, 0, 0) &&
	       db_proof_tls(task->ip, task->cluster.port, SERVER_CA_FILE, &unproven) == 0;
	return 0;
}

/* What the orchestrator waits for, which only the user can give; "": nothing. */
static int find_lacking(const struct server_task *task, char ret[SERVER_NOTE_BYTES],
			struct error *err)
{
	bool exposed = false;

	ret[0] = '\0';
	if (!has_token()) {
		(void)snprintf(ret, SERVER_NOTE_BYTES, "%s has HETZNER_API_TOKEN",
			       TOKEN_FILE_DEFAULT);
		return 0;
	}
	/* Whom to let in on the public side is the orchestrator's to say: it comes first. */
	if (!env_has(ENV_NETWORK_ID) && env_has(DB_EXPOSE_PUBLIC_IP))
		return 0;
	if (!env_has(ENV_NETWORK_ID)) {
		(void)snprintf(ret, SERVER_NOTE_BYTES, "%s has %s (rgrid network setup)",
			       ENV_FILE_DEFAULT, ENV_NETWORK_ID);
		return 0;
	}
	if (is_exposed(task, &exposed, err) < 0)
		return -1;
	if (!exposed)
		(void)snprintf(ret, SERVER_NOTE_BYTES,
			       "PostgreSQL lets workers in at %s (rgrid db expose)", task->ip);
	return 0;
}

static bool says_yes(const char *verb, const char *unit)
{
	const char *const argv[] = {"systemctl", "--quiet", verb, unit, NULL};
	struct error no = {0};

	return pg_debian_command(argv, &no) == 0;
}

bool server_have_units(void)
{
	return sd_booted() > 0 && says_yes("cat", SERVER_UNIT_API) &&
	       says_yes("cat", SERVER_UNIT_WORKERS) && says_yes("cat", UNIT_ORCHESTRATOR);
}

bool server_unit_runs(const char *unit)
{
	return says_yes("is-active", unit);
}

/* A daemon's unit, and the files that it reads when it starts. */
struct daemon {
	const char *unit;
	const char *files[DAEMON_FILES_MAX];
	size_t file_count;
};

static const struct daemon daemons[] = {
	{SERVER_UNIT_API, {SERVER_COMMON_ENV, SERVER_API_ENV}, 2},
	{SERVER_UNIT_WORKERS,
	 {SERVER_COMMON_ENV, SERVER_API_ENV, SERVER_WORKERS_ENV, SERVER_TLS_FILE},
	 4},
	{UNIT_ORCHESTRATOR,
	 {SERVER_COMMON_ENV, ENV_FILE_DEFAULT, TOKEN_FILE_DEFAULT, SERVER_CA_FILE},
	 4},
};

/* Of all that decides on what the daemon does, if it were started now. */
static int stamp_make(const struct server_task *task, const struct daemon *daemon,
		      struct server_stamp *ret, struct error *err)
{
	const char *const argv[] = {"systemctl", "--quiet", "cat", daemon->unit, NULL};
	const struct spawn_options options = {
		.argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
	CLEANUP(cleanup_free)
	char *program = xasprintf("%s/rgridd", task->options->program_directory);
	CLEANUP(cleanup_buf) struct buf unit;
	const char *files[DAEMON_FILES_MAX + 1];
	int status = 0;

	buf_init(&unit, UNIT_BYTES_MAX);
	buf_append_str(&unit, "");
	if (spawn_wait(&options, &unit, &status, err) < 0)
		return -1;
	memcpy(files, daemon->files, daemon->file_count * sizeof(files[0]));
	files[daemon->file_count] = program;
	return server_stamp_make(unit.bytes > 0 ? unit.data : "", files, daemon->file_count + 1,
				 ret, err);
}

static int is_current(const struct server_task *task, const struct daemon *daemon, bool *ret,
		      struct error *err)
{
	struct server_stamp stamp;

	if (stamp_make(task, daemon, &stamp, err) < 0)
		return -1;
	*ret = says_yes("is-enabled", daemon->unit) && server_unit_runs(daemon->unit) &&
	       server_stamp_is_kept(daemon->unit, &stamp);
	return 0;
}

/* All but the last, the orchestrator, if it lacks something. */
static size_t daemons_wanted(bool lacks)
{
	return ARRAY_SIZE(daemons) - (lacks ? 1 : 0);
}

int server_look_units(struct server_task *task, bool *ret_needed, struct error *err)
{
	char lacking[SERVER_NOTE_BYTES];

	*ret_needed = false;
	if (find_lacking(task, lacking, err) < 0)
		return -1;
	bool lacks = lacking[0] != '\0';
	if (!task->has_units) {
		server_note(task, "Daemons are for you to start%s%s",
			    lacks ? ", the orchestrator once " : "", lacking);
		return 0;
	}
	if (lacks)
		server_note(task,
			    "Units " SERVER_UNIT_API " and " SERVER_UNIT_WORKERS
			    "; " UNIT_ORCHESTRATOR " starts once %s: run this again then",
			    lacking);
	else
		server_note(task, "Units " SERVER_UNIT_API ", " SERVER_UNIT_WORKERS
				  " and " UNIT_ORCHESTRATOR);
	for (size_t i = 0; i < daemons_wanted(lacks); i++) {
		bool current = false;
		if (is_current(task, &daemons[i], &current, err) < 0)
			return -1;
		*ret_needed = *ret_needed || !current;
	}
	return 0;
}

static int start(const struct server_task *task, const struct daemon *daemon, struct error *err)
{
	const char *const enable[] = {"systemctl", "--quiet", "enable", daemon->unit, NULL};
	const char *const restart[] = {"systemctl", "--quiet", "restart", daemon->unit, NULL};
	struct server_stamp stamp;
	bool current = false;

	if (is_current(task, daemon, &current, err) < 0)
		return -1;
	if (current)
		return 0;
	/* Of before the start: what changes meanwhile is another start's. */
	if (stamp_make(task, daemon, &stamp, err) < 0)
		return -1;
	if (pg_debian_command(enable, err) == 0 && pg_debian_command(restart, err) == 0)
		return server_stamp_keep(daemon->unit, &stamp, err);
	return error_hint(err, "journalctl -u %s says why", daemon->unit);
}

int server_apply_units(struct server_task *task, struct error *err)
{
	const char *const reload[] = {"systemctl", "--quiet", "daemon-reload", NULL};
	char lacking[SERVER_NOTE_BYTES];

	if (find_lacking(task, lacking, err) < 0 || pg_debian_command(reload, err) < 0)
		return -1;
	for (size_t i = 0; i < daemons_wanted(lacking[0] != '\0'); i++) {
		if (start(task, &daemons[i], err) < 0)
			return -1;
	}
	return 0;
}
