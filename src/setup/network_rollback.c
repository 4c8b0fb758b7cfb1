#include <stdio.h>

#include "base/json.h"
#include "cloud/hetzner.h"
#include "core/address_list.h"
#include "core/ipv4.h"
#include "setup/db_expose.h"
#include "setup/db_proof.h"
#include "setup/env_file.h"
#include "setup/network.h"
#include "setup/network_task.h"

/* What the guide's rollback did by opening the database to a range of the internet is what this
 * never does: each worker is let in by its own address. */
static const char warning[] =
	"\nWARNING: without the private network, workers reach the database at its PUBLIC "
	"address.\n"
	"  - Nothing is opened yet, and the orchestrator does not start: no worker is created.\n"
	"  - Never open it to a range. The steps below let each worker's own address in, over TLS\n"
	"    alone, verified against this grid's own CA, while its server lives.\n"
	"  - Workers of the private network lose their grid and end; their jobs are queued "
	"again.\n";

/* What is left for the operator, with the address if this machine has one. */
static char *next_steps(const char *env_file)
{
	char ip[IPV4_BYTES];

	return xasprintf(
		"\nTo go on without a private network, as root on this server:\n"
		"  1. echo %s=%s >>%s\n"
		"  2. rgrid server setup\n"
		"     # the workers' API moves there, with a certificate for that address\n"
		"  3. systemctl enable --now rgrid-public-workers.path\n"
		"     # lets in whom the orchestrator names in %s;\n"
		"     # without systemd, after each change of it:\n"
		"     # rgrid db expose --public-workers %s\n"
		"  4. systemctl restart rgrid-orchestrator\n"
		"  5. rgrid doctor\n"
		"\nTo go back: rgrid network setup, rgrid db expose (which closes the public "
		"side), rgrid "
		"server setup,\n"
		"systemctl disable --now rgrid-public-workers.path, systemctl restart "
		"rgrid-orchestrator.\n",
		DB_EXPOSE_PUBLIC_IP, db_public_address(ip) ? ip : "ADDRESS", env_file,
		PUBLIC_WORKERS_PATH, PUBLIC_WORKERS_PATH);
}

static void on_step(void *context, const struct network_step *step, bool done,
		    const struct network_state *state)
{
	const struct network_options *options = context;

	(void)state;
	if (!options->json)
		(void)printf("%s %s: %s\n", done ? "✓" : " ", network_step_name(step->kind),
			     step->reason);
}

static void print_result(const struct network_options *options, bool env_changed, bool deleted)
{
	const char *path = network_env_path(options);
	CLEANUP(cleanup_free) char *steps = next_steps(path);

	if (options->json) {
		CLEANUP(cleanup_json)
		json_t *all = json_pack("{s:{s:s, s:b}, s:b, s:s, s:s}", "environment", "file",
					path, "changed", env_changed, "network_deleted", deleted,
					"warning", warning + 1, "next", steps + 1);
		CLEANUP(cleanup_free) char *text = json_to_text(all);
		(void)puts(text);
		return;
	}
	if (options->delete_network && !deleted)
		(void)printf("There is no network %s.\n", options->wish.name);
	if (env_changed)
		(void)printf("✓ %s: " ENV_NETWORK_ID " and " ENV_DB_IP " are commented out\n",
			     path);
	else
		(void)printf("%s sets neither " ENV_NETWORK_ID " nor " ENV_DB_IP ".\n", path);
	(void)fputs(warning, stdout);
	(void)fputs(steps, stdout);
}

/* Without a task there is no network to delete. */
static int roll_back(const struct network_options *options, const struct network_task *task,
		     struct network_state *state, struct error *err)
{
	const char *path = network_env_path(options);
	struct env_values values;
	bool env_changed = false;
	bool deleted = state->plan.count > 0;

	if (options->dry_run) {
		if (env_file_read(path, &values, NULL, err) < 0)
			return -1;
		bool is_set = values.network_id_count > 0 || values.db_ip_count > 0;
		network_print_plan(options, &state->plan, is_set ? path : NULL);
		return 0;
	}
	/* The file first: a network that no configuration names is harmless, a name without its
	 * network is not. */
	if (env_file_unset(path, &env_changed, err) < 0 ||
	    (task != NULL && network_task_run(task, state, err) < 0))
		return -1;
	print_result(options, env_changed, deleted);
	return 0;
}

int network_rollback(const struct network_options *options, struct error *err)
{
	CLEANUP(cleanup_hetzner) struct hetzner *hetzner = NULL;
	CLEANUP(cleanup_network_state) struct network_state state = {0};
	struct network_options mine = *options;
	struct network_task task = {.wish = &options->wish,
				    .server = options->server,
				    .decide = network_plan_delete,
				    .on_step = on_step,
				    .context = &mine};

	if (network_wish_check(&options->wish, err) < 0)
		return -1;
	if (!options->delete_network)
		return roll_back(options, NULL, &state, err);
	if (hetzner_new_from_environment(&hetzner, err) < 0)
		return -1;
	task.hetzner = hetzner;
	/* A refusal comes before anything is changed. */
	if (network_task_look(&task, &state, err) < 0)
		return -1;
	return roll_back(options, &task, &state, err);
}
