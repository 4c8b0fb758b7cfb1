/* A step of `rgrid server setup`: the daemons run, or the user is told how to run them. */
#include <systemd/sd-daemon.h>

#include "base/str.h"
#include "setup/db_proof.h"
#include "setup/env_file.h"
#include "setup/server_steps.h"
#include "store/queries.h"

#define UNIT_API	  "rgrid-api.service"
#define UNIT_WORKERS	  "rgrid-api-workers.service"
#define UNIT_ORCHESTRATOR "rgrid-orchestrator.service"
#define RGRID_ENV	  SERVER_ETC_DIR "/rgrid.env" /* read by all units, if it is there */

char *server_commands(const struct server_task *task)
{
	/* root's home is closed to the user, who would look for a configuration there. */
	static const char as_user[] =
		"exec env HOME=" SERVER_STATE_DIR " setpriv --reuid=" SERVER_USER
		" --regid=" SERVER_USER " --init-groups";
	const char *directory = task->options->program_directory;

	return xasprintf("  (set -a; . %s; %s %s/rgridd api)\n"
			 "  (set -a; . %s; . %s; %s %s/rgridd api)\n"
			 "  (set -a; . %s; %s %s/rgridd orchestrator)\n",
			 SERVER_API_ENV, as_user, directory, SERVER_API_ENV, SERVER_WORKERS_ENV,
			 as_user, directory, ENV_FILE_DEFAULT, as_user, directory);
}

static bool env_has(const char *name)
{
	CLEANUP(cleanup_buf) struct buf value;

	buf_init(&value, ENV_FILE_BYTES_MAX);
	return (env_file_find(ENV_FILE_DEFAULT, name, &value) ||
		env_file_find(RGRID_ENV, name, &value)) &&
	       value.bytes > 0;
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
	       db_proof_tls(task->ip, task->cluster.port, PKI_DIRECTORY_DEFAULT "/ca.crt",
			    &unproven) == 0;
	return 0;
}

/* What the orchestrator waits for, which only the user can give; "": nothing. */
static int find_lacking(const struct server_task *task, char ret[SERVER_NOTE_BYTES],
			struct error *err)
{
	bool exposed = false;

	ret[0] = '\0';
	if (!env_has("HETZNER_API_TOKEN") && !env_has("HCLOUD_TOKEN")) {
		(void)snprintf(ret, SERVER_NOTE_BYTES, "%s has HETZNER_API_TOKEN",
			       ENV_FILE_DEFAULT);
		return 0;
	}
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
	return sd_booted() > 0 && says_yes("cat", UNIT_API) && says_yes("cat", UNIT_WORKERS) &&
	       says_yes("cat", UNIT_ORCHESTRATOR);
}

static bool runs(const char *unit)
{
	return says_yes("is-enabled", unit) && says_yes("is-active", unit);
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
			    "Units " UNIT_API " and " UNIT_WORKERS "; " UNIT_ORCHESTRATOR
			    " starts once %s: run this again then",
			    lacking);
	else
		server_note(task, "Units " UNIT_API ", " UNIT_WORKERS " and " UNIT_ORCHESTRATOR);
	*ret_needed = task->changed || !runs(UNIT_API) || !runs(UNIT_WORKERS) ||
		      (!lacks && !runs(UNIT_ORCHESTRATOR));
	return 0;
}

static int start(const char *unit, struct error *err)
{
	const char *const enable[] = {"systemctl", "--quiet", "enable", unit, NULL};
	const char *const restart[] = {"systemctl", "--quiet", "restart", unit, NULL};

	if (pg_debian_command(enable, err) == 0 && pg_debian_command(restart, err) == 0)
		return 0;
	return error_hint(err, "journalctl -u %s says why", unit);
}

int server_apply_units(struct server_task *task, struct error *err)
{
	const char *const reload[] = {"systemctl", "--quiet", "daemon-reload", NULL};
	char lacking[SERVER_NOTE_BYTES];

	if (find_lacking(task, lacking, err) < 0 || pg_debian_command(reload, err) < 0 ||
	    start(UNIT_API, err) < 0 || start(UNIT_WORKERS, err) < 0)
		return -1;
	return lacking[0] == '\0' ? start(UNIT_ORCHESTRATOR, err) : 0;
}
