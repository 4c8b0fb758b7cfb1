#include "cli/config.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"
#include "cli/ini.h"

#define URL_BYTES_MAX 512

/* What one file said. */
struct file_values {
	char *url;
	char *token;
	char *ca_file;
	const char *path;
	bool is_credentials;
	bool reports_unknown;
	struct buf *notes;
};

static void file_values_release(struct file_values *values)
{
	free(values->url);
	free(values->token);
	free(values->ca_file);
}

static int take_value(void *context, const char *key, const char *value, unsigned line,
		      struct error *err)
{
	struct file_values *values = context;
	char **target = NULL;

	if (str_eq(key, "url"))
		target = &values->url;
	else if (str_eq(key, "ca_file"))
		target = &values->ca_file;
	else if (str_eq(key, "token") && values->is_credentials)
		target = &values->token;
	else if (str_eq(key, "token"))
		buf_appendf(values->notes,
			    "%s:%u: a token is only read from the credentials file, ignoring it\n",
			    values->path, line);
	else if (values->reports_unknown)
		buf_appendf(values->notes, "%s:%u: unknown key \"%s\", ignoring it\n", values->path,
			    line, key);
	if (!target)
		return 0;
	free(*target);
	*target = NULL;
	if (target == &values->url) {
		if (config_check_url(value, target, err) != 0)
			return error_wrap(err, "%s:%u", values->path, line);
	} else {
		*target = xstrdup(value);
	}
	return 0;
}

static void note_open_permissions(const struct file_values *values)
{
	struct stat status;

	if (values->is_credentials && stat(values->path, &status) == 0 && (status.st_mode & 077))
		buf_appendf(values->notes,
			    "%s can be read by others; protect it with: chmod 600 %s\n",
			    values->path, values->path);
}

/* An absent file says nothing. */
static int read_file(struct file_values *values, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf text = {0};

	buf_init(&text, INI_FILE_BYTES_MAX);
	if (access(values->path, F_OK) != 0)
		return 0;
	if (fs_read(AT_FDCWD, values->path, &text, err) != 0)
		return -1;
	note_open_permissions(values);
	return ini_parse(text.data, values->path, take_value, values, err);
}

static void take_url(struct config *config, const char *url, const char *from)
{
	if (config->url || !url)
		return;
	config->url = xstrdup(url);
	config->url_from = xstrdup(from);
}

static void take_ca_file(struct config *config, const char *ca_file)
{
	if (!config->ca_file && ca_file)
		config->ca_file = xstrdup(ca_file);
}

static int take_text_url(struct config *config, const char *url, const char *from,
			 struct error *err)
{
	CLEANUP(cleanup_free) char *checked = NULL;

	if (!url || !url[0])
		return 0;
	if (config_check_url(url, &checked, err) != 0)
		return error_wrap(err, "%s", from);
	take_url(config, checked, from);
	return 0;
}

/* The nearest .rgrid/config at or above `directory`, to be freed, or NULL. */
static char *find_project_file(const char *directory)
{
	CLEANUP(cleanup_free) char *at = xstrdup(directory);

	for (;;) {
		CLEANUP(cleanup_free) char *path = xasprintf("%s/.rgrid/config", at);
		char *slash = strrchr(at, '/');

		if (access(path, R_OK) == 0)
			return TAKE_PTR(path);
		if (!slash || at[0] == '\0')
			return NULL;
		*slash = '\0';
	}
}

static int load_file(struct config *config, const char *path, bool reports_unknown,
		     struct buf *notes, struct error *err)
{
	CLEANUP(file_values_release)
	struct file_values values = {
		.path = path, .reports_unknown = reports_unknown, .notes = notes};

	if (read_file(&values, err) != 0)
		return -1;
	take_url(config, values.url, path);
	take_ca_file(config, values.ca_file);
	return 0;
}

static int load_user(struct config *config, const struct config_sources *sources, struct buf *notes,
		     struct error *err)
{
	CLEANUP(cleanup_free)
	char *credentials = xasprintf("%s/credentials", sources->user_directory);
	CLEANUP(cleanup_free) char *file = xasprintf("%s/config", sources->user_directory);
	CLEANUP(file_values_release)
	struct file_values values = {.path = credentials,
				     .is_credentials = true,
				     .reports_unknown = true,
				     .notes = notes};

	if (read_file(&values, err) != 0)
		return -1;
	take_url(config, values.url, credentials);
	if (load_file(config, file, true, notes, err) != 0)
		return -1;
	if (!config->token && values.token) {
		if (values.url && config->url && str_eq(values.url, config->url)) {
			config->token = TAKE_PTR(values.token);
			take_ca_file(config, values.ca_file);
		} else {
			config->token_is_for_other_url = true;
		}
	}
	return 0;
}

int config_load(const struct config_sources *sources, struct config *ret, struct buf *notes,
		struct error *err)
{
	CLEANUP(cleanup_config) struct config config = {0};

	take_ca_file(&config, sources->env_ca_file);
	if (sources->env_token && sources->env_token[0])
		config.token = xstrdup(sources->env_token);
	if (take_text_url(&config, sources->flag_url, "--url", err) != 0 ||
	    take_text_url(&config, sources->env_url, "RGRID_URL", err) != 0)
		return -1;
	if (sources->directory) {
		CLEANUP(cleanup_free) char *path = find_project_file(sources->directory);

		if (path && load_file(&config, path, true, notes, err) != 0)
			return -1;
	}
	if (sources->user_directory && load_user(&config, sources, notes, err) != 0)
		return -1;
	/* The system's file may carry keys of the server beside it. */
	if (sources->system_file &&
	    load_file(&config, sources->system_file, false, notes, err) != 0)
		return -1;
	*ret = config;
	config = (struct config){0};
	return 0;
}

void config_release(struct config *config)
{
	free(config->url);
	free(config->url_from);
	free(config->token);
	free(config->ca_file);
	*config = (struct config){0};
}

char *config_user_directory(void)
{
	const char *base = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");

	if (base && base[0] == '/')
		return xasprintf("%s/rgrid", base);
	return home && home[0] ? xasprintf("%s/.config/rgrid", home) : NULL;
}

int config_write_credentials(const char *user_directory, const char *url, const char *token,
			     struct error *err)
{
	CLEANUP(cleanup_free) char *path = xasprintf("%s/credentials", user_directory);
	CLEANUP(cleanup_free)
	char *text =
		xasprintf("# Written by rgrid init. The token is a password: keep this file to "
			  "yourself.\nurl = %s\ntoken = %s\n",
			  url, token);

	if (fs_mkdir_all(user_directory, 0700, err) != 0)
		return -1;
	return fs_write_atomic(path, text, strlen(text), 0600, err);
}

int config_check_url(const char *url, char **ret, struct error *err)
{
	size_t bytes = strlen(url);
	const char *host = str_has_prefix(url, "http://")    ? url + 7
			   : str_has_prefix(url, "https://") ? url + 8
							     : NULL;

	if (!host || *host == '\0' || *host == '/' || bytes > URL_BYTES_MAX ||
	    strpbrk(url, " \t\r\n?#@")) {
		error_set(err, ERR_INVALID, "\"%s\" is not the address of a server", url);
		return error_hint(err, "it looks like http://127.0.0.1:8000 or "
				       "https://grid.example.org");
	}
	while (bytes > 0 && url[bytes - 1] == '/')
		bytes--;
	*ret = xstrndup(url, bytes);
	return 0;
}
