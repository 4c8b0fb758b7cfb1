/* The step of `rgrid server setup` that makes the first API key.
 *
 * A key is in a file before it is good, so that no good key is known to nobody: in the user's file,
 * or, if it is to be printed, in one of ours that goes when it has been. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"
#include "setup/account.h"
#include "setup/env_file.h"
#include "setup/server_steps.h"
#include "store/queries.h"

#define URL_VARIABLE   "RGRID_URL"
#define TOKEN_VARIABLE "RGRID_TOKEN"
#define KEY_NAME       "rgrid server setup"
#define UNSHOWN_FILE   SERVER_ETC_DIR "/unshown-key"

static void read_unshown(char ret_key[API_KEY_BYTES])
{
	CLEANUP(cleanup_buf) struct buf text;
	struct error absent = {0};
	char label[API_KEY_LABEL_BYTES];

	ret_key[0] = '\0';
	buf_init(&text, API_KEY_BYTES);
	if (fs_read(AT_FDCWD, UNSHOWN_FILE, &text, &absent) == 0 && text.bytes < API_KEY_BYTES &&
	    api_key_check(text.data, label))
		(void)snprintf(ret_key, API_KEY_BYTES, "%s", text.data);
}

/* Whether there is a key that works: the file's, or any that was shown. */
static int has_key(struct server_task *task, struct pg *pg, bool *ret, struct error *err)
{
	const char *path = task->options->env_file;
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	CLEANUP(cleanup_buf) struct buf key;

	buf_init(&key, ENV_FILE_BYTES_MAX);
	*ret = false;
	if (path != NULL) {
		if (!env_file_find(path, TOKEN_VARIABLE, &key))
			return 0;
		return account_key_is_good(pg, key.data, ret, err);
	}
	if (access(UNSHOWN_FILE, F_OK) == 0)
		return 0;
	pg_param_text(&params, ACCOUNT_DEFAULT_PROJECT);
	if (pg_run(pg, &query_server_has_key, &params, &result, err) < 0)
		return -1;
	*ret = pg_get_bool(result, 0, 0);
	return 0;
}

int server_look_key(struct server_task *task, bool *ret_needed, struct error *err)
{
	CLEANUP(cleanup_pg) struct pg *pg = NULL;
	const char *path = task->options->env_file;
	bool schema_needed = false;
	bool has = false;

	if (server_look_schema(task, &schema_needed, err) < 0)
		return -1;
	server_note(task, "API key of the project %s%s%s", ACCOUNT_DEFAULT_PROJECT,
		    path != NULL ? " in " : "", path != NULL ? path : "");
	if (!schema_needed &&
	    (pg_debian_connect_to(&task->cluster, SERVER_DATABASE, &pg, err) < 0 ||
	     has_key(task, pg, &has, err) < 0))
		return -1;
	*ret_needed = !has;
	return 0;
}

static int write_user_env(const struct server_task *task, struct error *err)
{
	CLEANUP(cleanup_free) char *url = server_api_url(task);
	CLEANUP(cleanup_free)
	char *text = xasprintf(URL_VARIABLE "=%s\n" TOKEN_VARIABLE "=%s\n", url, task->key);

	return fs_write_atomic(task->options->env_file, text, strlen(text), 0600, err);
}

int server_apply_key(struct server_task *task, struct error *err)
{
	CLEANUP(cleanup_pg) struct pg *pg = NULL;
	bool is_printed = task->options->env_file == NULL;
	bool good = false;
	int64_t project = 0;

	if (pg_debian_connect_to(&task->cluster, SERVER_DATABASE, &pg, err) < 0 ||
	    account_project_ensure(pg, ACCOUNT_DEFAULT_PROJECT, &project, err) < 0)
		return -1;
	if (is_printed)
		read_unshown(task->key);
	if (task->key[0] != '\0' && account_key_is_good(pg, task->key, &good, err) < 0)
		return -1;
	task->key_is_printed = is_printed;
	if (good)
		return 0;
	account_key_draw(task->key);
	if ((is_printed ? fs_write_atomic(UNSHOWN_FILE, task->key, strlen(task->key), 0600, err)
			: write_user_env(task, err)) < 0)
		return -1;
	server_moment("key-written");
	return account_key_store(pg, project, KEY_NAME, SCOPE_ALL, 0, task->key, err);
}

int server_key_shown(struct error *err)
{
	if (unlink(UNSHOWN_FILE) == 0 || errno == ENOENT)
		return 0;
	return error_set_errno(err, ERR_INTERNAL, errno, "cannot remove %s", UNSHOWN_FILE);
}
