#include "setup/server_steps.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"
#include "setup/bundle.h"
#include "setup/env_file.h"
#include "setup/server_stamp.h"
#include "setup/token_file.h"

#define STATE_DIR_MODE	 0750
#define ETC_DIR_MODE	 0755
#define ENV_MODE	 0640
#define PRIVATE_ENV_MODE 0600
#define PERMISSIONS	 07777
#define BUNDLE_VARIABLE	 "RGRID_WORKER_BUNDLE"
#define BLOB_DIR	 SERVER_STATE_DIR "/blobs"

void server_note(struct server_task *task, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)vsnprintf(task->note, sizeof(task->note), format, args);
	va_end(args);
}

void server_find_user(struct server_task *task)
{
	const struct passwd *user = getpwnam(SERVER_USER);
	const struct group *group = getgrnam(SERVER_USER);

	task->has_user = user != NULL && group != NULL;
	if (!task->has_user)
		return;
	task->uid = user->pw_uid;
	task->gid = group->gr_gid;
}

static bool path_is(const char *path, uid_t uid, gid_t gid, mode_t mode)
{
	struct stat status;

	return stat(path, &status) == 0 && status.st_uid == uid && status.st_gid == gid &&
	       (status.st_mode & PERMISSIONS) == mode;
}

static int path_own(const char *path, uid_t uid, gid_t gid, mode_t mode, struct error *err)
{
	/* The owner first: chown takes bits of the mode away. */
	if (lchown(path, uid, gid) != 0 || chmod(path, mode) != 0)
		return error_set_errno(err, ERR_FORBIDDEN, errno, "cannot own %s", path);
	return 0;
}

static bool is_orchestrators(const char *path)
{
	return str_eq(path, ENV_FILE_DEFAULT);
}

bool server_env_is_ours(const struct server_task *task, const char *path)
{
	if (is_orchestrators(path))
		return path_is(path, 0, 0, PRIVATE_ENV_MODE);
	return task->has_user && path_is(path, 0, task->gid, ENV_MODE);
}

int server_env_own(const struct server_task *task, const char *path, struct error *err)
{
	if (is_orchestrators(path))
		return path_own(path, 0, 0, PRIVATE_ENV_MODE, err);
	return path_own(path, 0, task->gid, ENV_MODE, err);
}

char *server_api_url(const struct server_task *task)
{
	return xasprintf("http://%s", task->listen);
}

/* User */

static int look_user(struct server_task *task, bool *ret_needed, struct error *err)
{
	(void)err;
	server_note(task, "System user and group %s", SERVER_USER);
	*ret_needed = !task->has_user;
	return 0;
}

static int apply_user(struct server_task *task, struct error *err)
{
	const char *const add_group[] = {"/usr/sbin/groupadd", "--system", SERVER_USER, NULL};
	const char *const add_user[] = {"/usr/sbin/useradd", "--system",   "--gid",
					SERVER_USER,	     "--home-dir", SERVER_STATE_DIR,
					"--no-create-home",  "--shell",	   "/usr/sbin/nologin",
					SERVER_USER,	     NULL};

	if (getgrnam(SERVER_USER) == NULL && pg_debian_command(add_group, err) < 0)
		return -1;
	if (getpwnam(SERVER_USER) == NULL && pg_debian_command(add_user, err) < 0)
		return -1;
	server_find_user(task);
	return task->has_user ? 0
			      : error_set(err, ERR_INTERNAL, "useradd made no user " SERVER_USER);
}

static int look_directories(struct server_task *task, bool *ret_needed, struct error *err)
{
	(void)err;
	server_note(task, "Directories %s and %s", SERVER_STATE_DIR, SERVER_ETC_DIR);
	*ret_needed = !task->has_user ||
		      !path_is(SERVER_STATE_DIR, task->uid, task->gid, STATE_DIR_MODE) ||
		      access(SERVER_ETC_DIR, F_OK) != 0;
	return 0;
}

static int apply_directories(struct server_task *task, struct error *err)
{
	if (fs_mkdir_all(SERVER_STATE_DIR, STATE_DIR_MODE, err) < 0 ||
	    fs_mkdir_all(SERVER_ETC_DIR, ETC_DIR_MODE, err) < 0)
		return -1;
	return path_own(SERVER_STATE_DIR, task->uid, task->gid, STATE_DIR_MODE, err);
}

/* Certificate */

/* Root's where systemd hands it to the daemon, as `rgrid db expose` makes it. */
static uid_t certificate_uid(const struct server_task *task)
{
	return task->has_units ? 0 : task->uid;
}

static gid_t certificate_gid(const struct server_task *task)
{
	return task->has_units ? 0 : task->gid;
}

static int look_certificate(struct server_task *task, bool *ret_needed, struct error *err)
{
	const char *ip = task->ip;
	const struct pki_names names = {.ips = &ip, .ip_count = 1};
	enum pki_state state = PKI_ABSENT;

	server_note(task, "Certificate of the workers' API for %s in %s", task->ip,
		    SERVER_TLS_FILE);
	if (access(SERVER_TLS_FILE, F_OK) == 0 && access(SERVER_CA_FILE, F_OK) == 0 &&
	    pki_server_check(PKI_DIRECTORY_DEFAULT, SERVER_TLS_FILE, &names, &state, NULL, err) < 0)
		return -1;
	*ret_needed = state != PKI_GOOD || !task->has_user ||
		      !path_is(SERVER_TLS_FILE, certificate_uid(task), certificate_gid(task), 0600);
	return 0;
}

static int apply_certificate(struct server_task *task, struct error *err)
{
	const char *ip = task->ip;
	const struct pki_names names = {.ips = &ip, .ip_count = 1};

	if (pki_ca_ensure(PKI_DIRECTORY_DEFAULT, NULL, err) < 0)
		return -1;
	return pki_server_ensure(PKI_DIRECTORY_DEFAULT, SERVER_TLS_FILE, &names,
				 certificate_uid(task), certificate_gid(task), NULL, err);
}

/* Settings */

static bool env_says(const char *path, const struct env_assignment *assignment)
{
	CLEANUP(cleanup_buf) struct buf value;

	buf_init(&value, ENV_FILE_BYTES_MAX);
	return env_file_find(path, assignment->name, &value) &&
	       str_eq(value.bytes > 0 ? value.data : "", assignment->value);
}

static struct bundle_options bundle_options_of(const struct server_task *task)
{
	return (struct bundle_options){.program_directory = task->options->program_directory,
				       .blob_directory = BLOB_DIR};
}

/* The bundle's stamp is root's: in the blob store, which is the API's, whoever took the API over
 * could name another bundle, and so run what he likes on all workers. */
static char *bundle_stamp_name(const char *sha256)
{
	return xasprintf("bundle-%s", sha256);
}

static void note_bundle(struct server_task *task, const char *sha256, uint64_t bytes)
{
	char size[16];

	server_note(task, "Worker bundle in %s, %s, SHA-256 %.12s…", BLOB_DIR,
		    format_bytes(bytes, size, sizeof(size)), sha256);
}

static int look_bundle(struct server_task *task, bool *ret_needed, struct error *err)
{
	const struct bundle_options options = bundle_options_of(task);
	struct server_stamp inputs;
	uint64_t bytes = 0;
	CLEANUP(cleanup_buf) struct buf sha256;

	buf_init(&sha256, ENV_FILE_BYTES_MAX);
	server_note(task, "Worker bundle in %s", BLOB_DIR);
	*ret_needed = true;
	if (!env_file_find(ENV_FILE_DEFAULT, BUNDLE_VARIABLE, &sha256) || sha256.bytes == 0 ||
	    !bundle_is_stored(BLOB_DIR, sha256.data, &bytes))
		return 0;
	CLEANUP(cleanup_free) char *name = bundle_stamp_name(sha256.data);
	if (bundle_inputs(&options, &inputs, err) < 0)
		return -1;
	note_bundle(task, sha256.data, bytes);
	*ret_needed = !server_stamp_is_kept(name, &inputs);
	return 0;
}

static int apply_bundle(struct server_task *task, struct error *err)
{
	const struct bundle_options options = bundle_options_of(task);
	struct server_stamp inputs;
	struct bundle bundle = {0};
	bool changed = false;

	/* Before it is made: what changes meanwhile makes another one. */
	if (bundle_inputs(&options, &inputs, err) < 0 || bundle_make(&options, &bundle, err) < 0)
		return -1;
	const struct env_assignment assignment = {BUNDLE_VARIABLE, bundle.sha256};
	if (env_file_assign(ENV_FILE_DEFAULT, &assignment, 1, &changed, err) < 0)
		return -1;
	note_bundle(task, bundle.sha256, bundle.bytes);
	task->as_before = !changed;
	CLEANUP(cleanup_free) char *name = bundle_stamp_name(bundle.sha256);
	return server_stamp_keep(name, &inputs, err);
}

/* What both APIs and the orchestrator need to find each other at the private address. */
struct settings {
	char url[SERVER_ADDRESS_BYTES + 32];
	char listen[SERVER_ADDRESS_BYTES + 16];
	struct env_assignment orchestrator[2], workers[3];
};

static void settings_make(const struct server_task *task, struct settings *ret)
{
	(void)snprintf(ret->url, sizeof(ret->url), "https://%s:%d", task->ip, SERVER_WORKERS_PORT);
	(void)snprintf(ret->listen, sizeof(ret->listen), "%s:%d", task->ip, SERVER_WORKERS_PORT);
	ret->orchestrator[0] = (struct env_assignment){"RGRID_PROVIDER", "hetzner"};
	ret->orchestrator[1] = (struct env_assignment){"RGRID_WORKER_API_URL", ret->url};
	ret->workers[0] = (struct env_assignment){SERVER_LISTEN_VARIABLE, ret->listen};
	ret->workers[1] = (struct env_assignment){"RGRID_TLS_FILE", SERVER_TLS_FILE};
	ret->workers[2] = (struct env_assignment){"RGRID_SERVE", "workers"};
}

static bool env_is_right(const struct server_task *task, const char *path,
			 const struct env_assignment *assignments, size_t count)
{
	bool right = server_env_is_ours(task, path);

	for (size_t i = 0; i < count; i++)
		right = right && env_says(path, &assignments[i]);
	return right;
}

static int env_write(const struct server_task *task, const char *path,
		     const struct env_assignment *assignments, size_t count, struct error *err)
{
	bool changed = false;

	if (env_file_assign(path, assignments, count, &changed, err) < 0)
		return -1;
	return server_env_own(task, path, err);
}

static int look_settings(struct server_task *task, bool *ret_needed, struct error *err)
{
	struct settings settings = {0};

	(void)err;
	settings_make(task, &settings);
	server_note(task, "Provider and workers' API in %s", ENV_FILE_DEFAULT);
	*ret_needed = !env_is_right(task, ENV_FILE_DEFAULT, settings.orchestrator,
				    ARRAY_SIZE(settings.orchestrator));
	return 0;
}

static int apply_settings(struct server_task *task, struct error *err)
{
	struct settings settings = {0};

	settings_make(task, &settings);
	return env_write(task, ENV_FILE_DEFAULT, settings.orchestrator,
			 ARRAY_SIZE(settings.orchestrator), err);
}

static int look_api(struct server_task *task, bool *ret_needed, struct error *err)
{
	const struct env_assignment listen = {SERVER_LISTEN_VARIABLE, task->listen};

	(void)err;
	server_note(task, "API for users at http://%s", task->listen);
	*ret_needed = task->options->api_port != 0 && !env_says(SERVER_API_ENV, &listen);
	return 0;
}

static int apply_api(struct server_task *task, struct error *err)
{
	const struct env_assignment listen = {SERVER_LISTEN_VARIABLE, task->listen};

	return env_write(task, SERVER_API_ENV, &listen, 1, err);
}

static int look_workers_api(struct server_task *task, bool *ret_needed, struct error *err)
{
	struct settings settings = {0};

	(void)err;
	settings_make(task, &settings);
	server_note(task, "Workers' API at %s in %s", settings.url, SERVER_WORKERS_ENV);
	*ret_needed = !env_is_right(task, SERVER_WORKERS_ENV, settings.workers,
				    ARRAY_SIZE(settings.workers));
	return 0;
}

static int apply_workers_api(struct server_task *task, struct error *err)
{
	struct settings settings = {0};

	settings_make(task, &settings);
	return env_write(task, SERVER_WORKERS_ENV, settings.workers, ARRAY_SIZE(settings.workers),
			 err);
}

/* Token */

/* All that a daemon reads but the token's own; the orchestrator's first, whose token is meant. */
static const char *const other_files[] = {ENV_FILE_DEFAULT, SERVER_COMMON_ENV, SERVER_API_ENV,
					  SERVER_WORKERS_ENV};

static int look_token(struct server_task *task, bool *ret_needed, struct error *err)
{
	(void)err;
	server_note(task, "Provider's token in %s, which only root reads", TOKEN_FILE_DEFAULT);
	*ret_needed = !token_file_is_private(TOKEN_FILE_DEFAULT);
	for (size_t i = 0; i < ARRAY_SIZE(other_files); i++) {
		CLEANUP(cleanup_buf) struct buf token;
		buf_init(&token, ENV_FILE_BYTES_MAX);
		*ret_needed = *ret_needed || token_file_find(other_files[i], &token);
	}
	return 0;
}

static int apply_token(struct server_task *task, struct error *err)
{
	(void)task;
	return token_file_collect(TOKEN_FILE_DEFAULT, other_files, ARRAY_SIZE(other_files), err);
}

const struct server_step server_steps[] = {
	{"user", look_user, apply_user},
	{"directories", look_directories, apply_directories},
	{"database", server_look_database, server_apply_database},
	{"schema", server_look_schema, server_apply_schema},
	{"api-login", server_look_api_login, server_apply_api_login},
	{"orchestrator-login", server_look_orchestrator_login, server_apply_orchestrator_login},
	{"certificate", look_certificate, apply_certificate},
	{"bundle", look_bundle, apply_bundle},
	{"settings", look_settings, apply_settings},
	{"api", look_api, apply_api},
	{"workers-api", look_workers_api, apply_workers_api},
	{"token", look_token, apply_token},
	{"units", server_look_units, server_apply_units},
	/* The last: a failure after it would hide the key, which is shown once. */
	{"key", server_look_key, server_apply_key},
};
const size_t server_step_count = ARRAY_SIZE(server_steps);
