#include "setup/server_setup.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "core/ipv4.h"
#include "setup/db_expose.h"
#include "setup/db_proof.h"
#include "setup/env_file.h"
#include "setup/server_steps.h"
#include "setup/setup_lock.h"

static void task_release(struct server_task *task)
{
	pg_debian_release(&task->cluster);
}

static int choose_ip(struct server_task *task, struct error *err)
{
	const char *from_environment = getenv(DB_EXPOSE_IP_VARIABLE);
	const char *chosen = task->options->private_ip;
	struct env_values env = {0};
	CLEANUP(cleanup_buf) struct buf public_ip;
	uint32_t ignored = 0;

	buf_init(&public_ip, ENV_FILE_BYTES_MAX);
	if (env_file_read(ENV_FILE_DEFAULT, &env, NULL, err) < 0)
		return -1;
	/* As the orchestrator chooses: a private network goes before. */
	if (chosen == NULL && env.network_id[0] == '\0' &&
	    env_file_find(ENV_FILE_DEFAULT, DB_EXPOSE_PUBLIC_IP, &public_ip) && public_ip.bytes > 0)
		chosen = public_ip.data;
	if (chosen == NULL && from_environment != NULL && from_environment[0] != '\0')
		chosen = from_environment;
	if (chosen == NULL)
		chosen = env.db_ip[0] != '\0' ? env.db_ip : DB_EXPOSE_IP_DEFAULT;
	(void)snprintf(task->ip, sizeof(task->ip), "%s", chosen);
	if (ipv4_parse(chosen, &ignored, err) < 0)
		return error_wrap(err, "the address for workers");
	if (db_has_address(task->ip))
		return 0;
	(void)error_set(err, ERR_CONFLICT, "no interface of this machine has %s", task->ip);
	return error_hint(err, "rgrid network setup; then see ip -br address");
}

static void choose_listen(struct server_task *task)
{
	CLEANUP(cleanup_buf) struct buf listen;

	buf_init(&listen, ENV_FILE_BYTES_MAX);
	if (task->options->api_port != 0)
		buf_appendf(&listen, "127.0.0.1:%u", (unsigned)task->options->api_port);
	else if (!env_file_find(SERVER_API_ENV, SERVER_LISTEN_VARIABLE, &listen))
		buf_append_str(&listen, conf_text(task->options->conf, CONF_LISTEN));
	(void)snprintf(task->listen, sizeof(task->listen), "%s",
		       listen.bytes > 0 ? listen.data : "");
}

static void tell(const struct server_task *task, const struct server_step *step, const char *state,
		 json_t *items)
{
	if (items != NULL) {
		(void)json_array_append_new(items, json_pack("{s:s, s:s, s:s}", "step", step->name,
							     "state", state, "what", task->note));
		return;
	}
	(void)printf("%s %s (%s)\n", str_eq(state, "would do") ? "-" : "✓", task->note, state);
	(void)fflush(stdout);
}

void server_moment(const char *name)
{
	const char *last = getenv(DB_EXPOSE_DIE_VARIABLE);

	if (last != NULL && str_eq(last, name))
		(void)raise(SIGKILL);
}

static int run_step(struct server_task *task, const struct server_step *step, json_t *items,
		    struct error *err)
{
	bool needed = false;

	task->as_before = false;
	server_find_user(task);
	if (step->look(task, &needed, err) < 0)
		return error_wrap(err, "%s", step->name);
	if (needed && !task->options->dry_run) {
		if (step->apply(task, err) < 0)
			return error_wrap(err, "%s", step->name);
		needed = !task->as_before;
		tell(task, step, needed ? "done" : "kept", items);
	} else {
		tell(task, step, needed ? "would do" : "kept", items);
	}
	server_moment(step->name);
	return 0;
}

static void print_json(const struct server_task *task, json_t *items)
{
	CLEANUP(cleanup_free) char *url = server_api_url(task);
	CLEANUP(cleanup_free) char *commands = server_commands(task);
	CLEANUP(cleanup_json)
	json_t *all = json_pack("{s:b, s:s, s:s, s:s?, s:s?, s:s?, s:O}", "dry_run",
				task->options->dry_run, "private_ip", task->ip, "url", url, "token",
				task->key_is_printed ? task->key : NULL, "env_file",
				task->options->env_file, "commands",
				task->has_units ? NULL : commands, "steps", items);
	CLEANUP(cleanup_free) char *text = json_to_text(all);

	(void)puts(text);
}

static void print_end(const struct server_task *task)
{
	CLEANUP(cleanup_free) char *url = server_api_url(task);
	CLEANUP(cleanup_free) char *commands = server_commands(task);

	if (task->key_is_printed)
		(void)printf("\nThe first API key, which is shown this once:\n"
			     "  export RGRID_URL=%s\n  export RGRID_TOKEN=%s\n",
			     url, task->key);
	if (!task->has_units && !task->options->dry_run)
		(void)printf("\nNo systemd with RGrid's units is here. To start the daemons:\n%s",
			     commands);
}

int server_setup(const struct server_setup_options *options, struct error *err)
{
	CLEANUP(task_release) struct server_task task = {.options = options};
	CLEANUP(cleanup_json) json_t *items = options->json ? json_array() : NULL;
	CLEANUP(cleanup_fd) int lock = -1;

	if (geteuid() != 0) {
		(void)error_set(err, ERR_FORBIDDEN, "only root may set up the server");
		return error_hint(err, "sudo rgrid server setup");
	}
	if (!options->dry_run && setup_lock_take(&lock, err) < 0)
		return -1;
	if (pg_debian_find(options->cluster, &task.cluster, err) < 0 || choose_ip(&task, err) < 0)
		return -1;
	choose_listen(&task);
	task.has_units = server_have_units();
	if (server_check(&task, err) < 0)
		return -1;
	for (size_t i = 0; i < server_step_count; i++) {
		if (run_step(&task, &server_steps[i], items, err) < 0)
			return -1;
	}
	if (items != NULL)
		print_json(&task, items);
	else
		print_end(&task);
	if (!task.key_is_printed)
		return 0;
	if (fflush(stdout) != 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot show the API key");
	return server_key_shown(err);
}
