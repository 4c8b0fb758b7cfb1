/* What `rgrid server setup` refuses to start from: states that no step of it can mend, found before
 * the first one changes anything. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"
#include "cloud/hetzner.h"
#include "setup/env_file.h"
#include "setup/listener.h"
#include "setup/server_steps.h"
#include "setup/token_file.h"

/* Only an answer is of interest; a provider that is away is no reason to wait. */
#define PROVIDER_TIMEOUT_MS 5000

/* A file that is absent, or is text. */
static int check_text(const char *path, struct error *err)
{
	struct stat status;
	CLEANUP(cleanup_buf) struct buf text;

	buf_init(&text, ENV_FILE_BYTES_MAX);
	if (stat(path, &status) < 0) {
		if (errno == ENOENT)
			return 0;
		return error_set_errno(err, ERR_INVALID, errno, "cannot look at %s", path);
	}
	if (!S_ISREG(status.st_mode)) {
		(void)error_set(err, ERR_INVALID, "%s is no file", path);
		return error_hint(err, "move it away");
	}
	if (fs_read(AT_FDCWD, path, &text, err) < 0)
		return -1;
	if (text.bytes == 0 || memchr(text.data, '\0', text.bytes) == NULL)
		return 0;
	(void)error_set(err, ERR_INVALID, "%s is not text", path);
	return error_hint(err, "RGrid did not write that: move it away");
}

static int check_files(const struct server_task *task, struct error *err)
{
	static const char *const paths[] = {SERVER_COMMON_ENV, SERVER_API_ENV, SERVER_WORKERS_ENV,
					    ENV_FILE_DEFAULT, TOKEN_FILE_DEFAULT};
	const char *user_file = task->options->env_file;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		if (check_text(paths[i], err) < 0)
			return -1;
	}
	if (user_file == NULL)
		return 0;
	if (!env_file_is_writable(user_file))
		return error_set(err, ERR_INVALID, "nothing can be written beside %s", user_file);
	return check_text(user_file, err) < 0 ? -1 : server_check_user_file(task, err);
}

/* Whether the address is free, or has the daemon that is to have it. */
static int check_address(const char *unit, const char *address, const char *hint, struct error *err)
{
	CLEANUP(cleanup_fd) int fd = -1;
	CLEANUP(cleanup_free) char *url = NULL;

	if (server_unit_runs(unit) || listener_open(address, 0, &fd, &url, err) == 0)
		return 0;
	return error_hint(err, "%s", hint);
}

static int check_ports(const struct server_task *task, struct error *err)
{
	CLEANUP(cleanup_free)
	char *workers = xasprintf("%s:%d", task->ip, SERVER_WORKERS_PORT);

	/* Without units the daemons are the user's to start, and may well run. */
	if (!task->has_units)
		return 0;
	if (check_address(SERVER_UNIT_API, task->listen,
			  "ss -ltnp says which: end it, or choose another port: --api-port",
			  err) < 0)
		return -1;
	return check_address(SERVER_UNIT_WORKERS, workers,
			     "ss -ltnp says which: the workers' API needs that port", err);
}

/* The token that the orchestrator will have: it may not have moved to its file yet. */
static bool find_token(struct buf *out)
{
	return token_file_find(TOKEN_FILE_DEFAULT, out) || token_file_find(ENV_FILE_DEFAULT, out);
}

static int ask_for_network(const char *token, int64_t id, struct error *err)
{
	CLEANUP(cleanup_hetzner) struct hetzner *hetzner = NULL;
	CLEANUP(cleanup_hetzner_network_list) struct hetzner_network_list networks = {0};
	const char *endpoint = getenv("HCLOUD_ENDPOINT");
	const struct hetzner_options options = {
		.token = token,
		.endpoint = endpoint != NULL && endpoint[0] != '\0' ? endpoint : NULL,
		.request_timeout_ms = PROVIDER_TIMEOUT_MS,
		.backoff_ms = 1};

	if (hetzner_new(&options, &hetzner, err) < 0)
		return -1;
	return hetzner_network_get(hetzner, id, &networks, err);
}

/* Token and network are of one project, if the provider answers. */
static int check_project(struct error *err)
{
	CLEANUP(cleanup_buf) struct buf token;
	struct env_values env = {0};
	struct error answer = {0};
	int64_t id = 0;

	buf_init(&token, ENV_FILE_BYTES_MAX);
	if (env_file_read(ENV_FILE_DEFAULT, &env, NULL, err) < 0)
		return -1;
	if (env.network_id[0] == '\0' || !find_token(&token))
		return 0;
	if (parse_i64(env.network_id, 1, INT64_MAX, &id, err) < 0) {
		(void)error_wrap(err, ENV_NETWORK_ID " in %s", ENV_FILE_DEFAULT);
		return error_hint(err, "rgrid network setup writes it");
	}
	if (ask_for_network(token.data, id, &answer) == 0)
		return 0;
	if (answer.code == ERR_NOT_FOUND) {
		(void)error_set(err, ERR_CONFLICT,
				"the project of the token has no network %s, which " ENV_NETWORK_ID
				" in %s names",
				env.network_id, ENV_FILE_DEFAULT);
		return error_hint(err, "run rgrid network setup with that token, or put the token "
				       "of the network's project into " TOKEN_FILE_DEFAULT);
	}
	if (answer.code == ERR_UNAUTHENTICATED) {
		(void)error_set(err, ERR_UNAUTHENTICATED, "the provider refuses the token: %s",
				answer.msg);
		return error_hint(err, "put one that is good into " TOKEN_FILE_DEFAULT);
	}
	return 0;
}

int server_check(const struct server_task *task, struct error *err)
{
	if (check_files(task, err) < 0 || check_ports(task, err) < 0)
		return -1;
	return check_project(err);
}
