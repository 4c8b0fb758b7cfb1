/* A step of `rgrid server setup`: the daemons run, or the user is told how to run them. */
#include <systemd/sd-daemon.h>

#include "base/str.h"
#include "setup/env_file.h"
#include "setup/server_steps.h"

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

/* What the orchestrator lacks to start, which only the user can give; NULL: nothing. */
static const char *orchestrator_lacks(void)
{
	if (!env_has("HETZNER_API_TOKEN") && !env_has("HCLOUD_TOKEN"))
		return "HETZNER_API_TOKEN";
	return env_has(ENV_NETWORK_ID) ? NULL : ENV_NETWORK_ID " (rgrid network setup)";
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
	const char *lacking = orchestrator_lacks();

	(void)err;
	*ret_needed = false;
	if (!task->has_units) {
		server_note(task, "Daemons are for you to start%s%s",
			    lacking != NULL ? ", the orchestrator once " ENV_FILE_DEFAULT " has "
					    : "",
			    lacking != NULL ? lacking : "");
		return 0;
	}
	if (lacking != NULL)
		server_note(task,
			    "Units " UNIT_API " and " UNIT_WORKERS "; " UNIT_ORCHESTRATOR
			    " starts once " ENV_FILE_DEFAULT " has %s: run this again then",
			    lacking);
	else
		server_note(task, "Units " UNIT_API ", " UNIT_WORKERS " and " UNIT_ORCHESTRATOR);
	*ret_needed = task->changed || !runs(UNIT_API) || !runs(UNIT_WORKERS) ||
		      (lacking == NULL && !runs(UNIT_ORCHESTRATOR));
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

	(void)task;
	if (pg_debian_command(reload, err) < 0 || start(UNIT_API, err) < 0 ||
	    start(UNIT_WORKERS, err) < 0)
		return -1;
	return orchestrator_lacks() == NULL ? start(UNIT_ORCHESTRATOR, err) : 0;
}
