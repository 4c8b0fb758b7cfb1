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

static bool is_our_url(const struct server_task *task, const char *found)
{
	CLEANUP(cleanup_free) char *url = server_api_url(task);
	return str_eq(found, url);
}

/* Whether the user's file has our address, and a key that is good. */
static int user_file_is_right(const struct server_task *task, struct pg *pg, bool *ret_key,
			      bool *ret_url, struct error *err)
{
	const char *path = task->options->env_file;
	CLEANUP(cleanup_buf) struct buf found;

	buf_init(&found, ENV_FILE_BYTES_MAX);
	*ret_key = false;
	*ret_url = env_file_find(path, URL_VARIABLE, &found) && found.bytes > 0 &&
		   is_our_url(task, found.data);
	buf_clear(&found);
	if (!env_file_find(path, TOKEN_VARIABLE, &found) || found.bytes == 0)
		return 0;
	return account_key_is_good(pg, found.data, ret_key, err);
}

/* Whether there is a key that works: the file's, or any that was shown. */
static int has_key(struct server_task *task, struct pg *pg, bool *ret, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	bool key = false;
	bool url = false;

	*ret = false;
	if (task->options->env_file != NULL) {
		if (user_file_is_right(task, pg, &key, &url, err) < 0)
			return -1;
		*ret = key && url;
		return 0;
	}
	if (access(UNSHOWN_FILE, F_OK) == 0)
		return 0;
	pg_param_text(&params, ACCOUNT_DEFAULT_PROJECT);
	if (pg_run(pg, &query_server_has_key, &params, &result, err) < 0)
		return -1;
	*ret = pg_get_bool(result, 0, 0);
	return 0;
}

int server_check_user_file(const struct server_task *task, struct error *err)
{
	const char *path = task->options->env_file;
	CLEANUP(cleanup_pg) struct pg *pg = NULL;
	CLEANUP(cleanup_buf) struct buf url;
	struct error absent = {0};
	bool is_key = false;
	bool is_url = false;

	buf_init(&url, ENV_FILE_BYTES_MAX);
	if (!env_file_find(path, URL_VARIABLE, &url) || url.bytes == 0)
		return 0;
	/* Without our database, or its schema, no key is ours. */
	if (pg_debian_connect_to(&task->cluster, SERVER_DATABASE, &pg, &absent) == 0)
		(void)!user_file_is_right(task, pg, &is_key, &is_url, &absent);
	else
		is_url = is_our_url(task, url.data);
	if (is_key || is_url)
		return 0;
	(void)error_set(err, ERR_CONFLICT, "%s has a key for another grid, at %s", path, url.data);
	return error_hint(err, "name another file, or remove " URL_VARIABLE " from it");
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

/* Other lines stay; the file is root's alone, whatever it was. */
static int write_user_env(const struct server_task *task, const char *key, struct error *err)
{
	const char *path = task->options->env_file;
	CLEANUP(cleanup_free) char *url = server_api_url(task);
	const struct env_assignment url_line = {URL_VARIABLE, url};
	const struct env_assignment key_line = {TOKEN_VARIABLE, key};
	CLEANUP(cleanup_buf) struct buf before;
	CLEANUP(cleanup_buf) struct buf with_url;
	CLEANUP(cleanup_buf) struct buf after;

	buf_init(&before, ENV_FILE_BYTES_MAX);
	buf_init(&with_url, ENV_FILE_BYTES_MAX);
	buf_init(&after, ENV_FILE_BYTES_MAX);
	if (access(path, F_OK) == 0 && fs_read(AT_FDCWD, path, &before, err) < 0)
		return -1;
	env_text_assign(before.data, before.bytes, &url_line, &with_url);
	env_text_assign(with_url.data, with_url.bytes, &key_line, &after);
	if (with_url.overflowed || after.overflowed)
		return error_set(err, ERR_TOO_LARGE, "%s is too large", path);
	return fs_write_atomic(path, after.data, after.bytes, 0600, err);
}

/* The key that is there already and good, into task->key; else "". */
static int find_good_key(struct server_task *task, struct pg *pg, struct error *err)
{
	const char *path = task->options->env_file;
	CLEANUP(cleanup_buf) struct buf found;
	bool good = false;

	buf_init(&found, ENV_FILE_BYTES_MAX);
	if (path == NULL)
		read_unshown(task->key);
	else if (env_file_find(path, TOKEN_VARIABLE, &found) && found.bytes > 0)
		(void)snprintf(task->key, sizeof(task->key), "%s", found.data);
	if (task->key[0] != '\0' && account_key_is_good(pg, task->key, &good, err) < 0)
		return -1;
	if (!good)
		task->key[0] = '\0';
	return 0;
}

int server_apply_key(struct server_task *task, struct error *err)
{
	CLEANUP(cleanup_pg) struct pg *pg = NULL;
	bool is_printed = task->options->env_file == NULL;
	int64_t project = 0;

	if (pg_debian_connect_to(&task->cluster, SERVER_DATABASE, &pg, err) < 0 ||
	    account_project_ensure(pg, ACCOUNT_DEFAULT_PROJECT, &project, err) < 0 ||
	    find_good_key(task, pg, err) < 0)
		return -1;
	bool is_new = task->key[0] == '\0';
	if (is_new)
		account_key_draw(task->key);
	if (!is_printed && write_user_env(task, task->key, err) < 0)
		return -1;
	if (is_printed && is_new &&
	    fs_write_atomic(UNSHOWN_FILE, task->key, strlen(task->key), 0600, err) < 0)
		return -1;
	task->key_is_printed = is_printed;
	if (!is_new)
		return 0;
	server_moment("key-written");
	return account_key_store(pg, project, KEY_NAME, SCOPE_ALL, 0, task->key, err);
}

int server_key_shown(struct error *err)
{
	if (unlink(UNSHOWN_FILE) == 0 || errno == ENOENT)
		return 0;
	return error_set_errno(err, ERR_INTERNAL, errno, "cannot remove %s", UNSHOWN_FILE);
}
