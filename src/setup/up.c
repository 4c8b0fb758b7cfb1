#include "setup/up.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/http_client.h"
#include "base/log.h"
#include "base/str.h"
#include "conf/environment.h"
#include "core/limits.h"
#include "setup/account.h"
#include "setup/cluster.h"
#include "setup/daemons.h"
#include "setup/data_dir.h"
#include "setup/listener.h"
#include "setup/programs.h"
#include "store/queries.h"

#define DIRTY_PATIENCE_MS   5000   /* for the port of a grid that is still dying */
#define HELD_PATIENCE_MS    60000  /* for its PostgreSQL */
#define POSTGRES_START_MS   300000 /* a recovery may take long */
#define READY_MS	    60000
#define POLL_MS		    50
#define READYZ_TIMEOUT_MS   2000
#define CONNECTIONS_SPARE   40	 /* operators, orchestrator, PostgreSQL's own */
#define CONNECTIONS_WORKER  8ULL /* 4 of each worker's login, and of its successor's */
#define UNENFORCED_BYTES    (4 * KIB)
#define CHILD_ARGUMENTS_MAX 24

/* A child's command line and environment, with the memory behind them. */
struct command {
	const char *argv[CHILD_ARGUMENTS_MAX];
	char *owned[CHILD_ARGUMENTS_MAX];
	size_t count;
	struct environment environment;
	char *database;
};

struct up {
	const struct up_options *options;
	const struct conf *conf;
	struct data_dir dir;
	struct cluster cluster;
	struct daemons daemons;
	int listen_fd;
	char *url;
	char token[API_KEY_BYTES];
	struct command api;
	struct command orchestrator;
	struct pg *pg;		    /* as the operator, until ready */
	struct http_client *client; /* likewise */
	bool api_ready;
	char unenforced[UNENFORCED_BYTES]; /* limits, with commas between */
};

static void command_add(struct command *command, char *owned_text)
{
	CHECK(command->count < CHILD_ARGUMENTS_MAX - 1);
	command->owned[command->count] = owned_text;
	command->argv[command->count++] = owned_text;
}

/* Every setting goes by the command line, so that what the child reads elsewhere does not matter.
 */
static void command_set(struct command *command, enum conf_param param, const char *value)
{
	command_add(command, xasprintf("--%s=%s", conf_param_name(param), value));
}

static int command_make(const struct up *up, const char *verb, const char *login,
			struct command *command, struct error *err)
{
	CLEANUP(cleanup_free) char *conninfo = NULL;
	if (cluster_conninfo(up->dir.path, login, &conninfo, err) < 0)
		return -1;
	command->database = xasprintf("RGRID_DATABASE=%s", conninfo);
	const char *const added[] = {command->database, "RGRID_CONFIG=/dev/null", NULL};
	environment_make(added, &command->environment);
	command_add(command, xstrdup(up->options->program));
	command_add(command, xstrdup(verb));
	command_set(command, CONF_LOG_LEVEL, conf_text(up->conf, CONF_LOG_LEVEL));
	return 0;
}

static void command_release(struct command *command)
{
	for (size_t i = 0; i < command->count; i++)
		free(command->owned[i]);
	free(command->database);
}

static struct spawn_options command_spawn(const struct command *command, int stdin_fd)
{
	return (struct spawn_options){.argv = command->argv,
				      .envp = command->environment.entries,
				      .stdin_fd = stdin_fd,
				      .death_signal = SIGKILL};
}

static void cleanup_up(struct up *up)
{
	daemons_release(&up->daemons);
	command_release(&up->api);
	command_release(&up->orchestrator);
	pg_free(up->pg);
	http_client_free(up->client);
	cluster_release(&up->cluster);
	cleanup_data_dir(&up->dir);
	cleanup_fd(&up->listen_fd);
	free(up->url);
}

static void remove_env_file(const struct up *up)
{
	if (up->options->env_file != NULL)
		(void)unlink(up->options->env_file); /* absent is fine */
}

/* A PostgreSQL whose supervisor was killed stops by itself; a new one has to wait for that. */
static int wait_for_old_postgres(const struct up *up, struct error *err)
{
	uint64_t deadline_ms = clock_boottime_ms() + HELD_PATIENCE_MS;
	while (cluster_is_held(&up->cluster)) {
		if (clock_boottime_ms() > deadline_ms) {
			(void)error_set(
				err, ERR_CONFLICT,
				"a PostgreSQL server left by an earlier rgrid up still runs in %s",
				up->cluster.data);
			return error_hint(err,
					  "its process id is the first line of %s/postmaster.pid",
					  up->cluster.data);
		}
		(void)poll(NULL, 0, POLL_MS);
	}
	return 0;
}

static int prepare(struct up *up, struct error *err)
{
	const struct conf *conf = up->conf;
	uint64_t connections = CONNECTIONS_SPARE + conf_number(conf, CONF_API_CONNECTIONS) +
			       CONNECTIONS_WORKER * conf_number(conf, CONF_WORKERS);
	if (programs_check(err) < 0 ||
	    data_dir_open(conf_text(conf, CONF_DATA_DIR), &up->dir, err) < 0)
		return -1;
	remove_env_file(up);
	uint64_t patience_ms = up->dir.was_left_dirty ? DIRTY_PATIENCE_MS : 0;
	if (listener_open(conf_text(conf, CONF_LISTEN), patience_ms, &up->listen_fd, &up->url,
			  err) < 0 ||
	    cluster_open(&up->dir, conf_text(conf, CONF_POSTGRES_BIN_DIR), connections,
			 &up->cluster, err) < 0)
		return -1;
	return wait_for_old_postgres(up, err);
}

static bool postgres_ready(void *context)
{
	const struct up *up = context;
	return up->daemons.services[DAEMON_POSTGRES].pid != 0 && cluster_is_up(up->dir.path);
}

static int start_postgres(struct up *up, struct error *err)
{
	struct spawn_options spawn = cluster_spawn_options(&up->cluster);
	if (daemons_start(&up->daemons, DAEMON_POSTGRES, &spawn, err) < 0)
		return -1;
	if (daemons_wait(&up->daemons, postgres_ready, up, POSTGRES_START_MS, err) < 0)
		return error_wrap(err, "PostgreSQL does not answer");
	return 0;
}

/* The key that the last `up` made, if the database still knows it; "" otherwise. */
static int read_token(struct up *up, const char *path, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf text;
	buf_init(&text, 4 * KIB);
	bool good = false;
	up->token[0] = '\0';
	if (fs_read(AT_FDCWD, path, &text, err) < 0) {
		if (err->errnum != ENOENT)
			return -1;
		error_clear(err);
		return 0;
	}
	text.data[strcspn(text.data, "\n")] = '\0';
	if (account_key_is_good(up->pg, text.data, &good, err) < 0)
		return -1;
	if (good)
		(void)snprintf(up->token, sizeof(up->token), "%s", text.data);
	return 0;
}

static int ensure_token(struct up *up, struct error *err)
{
	CLEANUP(cleanup_free) char *path = data_dir_join(&up->dir, "secrets/token");
	int64_t project = 0;
	if (account_project_ensure(up->pg, ACCOUNT_DEFAULT_PROJECT, &project, err) < 0 ||
	    read_token(up, path, err) < 0)
		return -1;
	if (up->token[0] != '\0')
		return 0;
	account_key_draw(up->token);
	CLEANUP(cleanup_free) char *line = xasprintf("%s\n", up->token);
	if (fs_write_atomic(path, line, strlen(line), 0600, err) < 0)
		return -1;
	return account_key_store(up->pg, project, "rgrid up", SCOPE_ALL, 0, up->token, err);
}

static int prepare_database(struct up *up, struct error *err)
{
	CLEANUP(cleanup_free) char *conninfo = NULL;
	if (cluster_migrate(up->dir.path, err) < 0 ||
	    cluster_conninfo(up->dir.path, CLUSTER_OPERATOR, &conninfo, err) < 0 ||
	    pg_open(conninfo, &up->pg, err) < 0)
		return -1;
	return ensure_token(up, err);
}

static int start_api(struct up *up, struct error *err)
{
	struct command *command = &up->api;
	if (command_make(up, "api", CLUSTER_API, command, err) < 0)
		return -1;
	command_set(command, CONF_DATA_DIR, up->dir.path);
	command_set(command, CONF_API_CONNECTIONS, conf_text(up->conf, CONF_API_CONNECTIONS));
	command_add(command, xstrdup("--listen-inherited"));
	struct spawn_options spawn = command_spawn(command, up->listen_fd);
	return daemons_start(&up->daemons, DAEMON_API, &spawn, err);
}

static int start_orchestrator(struct up *up, struct error *err)
{
	static const enum conf_param handed_on[] = {CONF_WORKERS, CONF_SLOTS,
						    CONF_WORKER_START_TIMEOUT, CONF_DRAIN_TIMEOUT};
	struct command *command = &up->orchestrator;
	if (command_make(up, "orchestrator", CLUSTER_ORCHESTRATOR, command, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(handed_on); i++)
		command_set(command, handed_on[i], conf_text(up->conf, handed_on[i]));
	CLEANUP(cleanup_free) char *worker_dir = data_dir_join(&up->dir, "workers");
	command_set(command, CONF_WORKER_DIR, worker_dir);
	command_set(command, CONF_API_URL, up->url);
	struct spawn_options spawn = command_spawn(command, -1);
	return daemons_start(&up->daemons, DAEMON_ORCHESTRATOR, &spawn, err);
}

static bool api_answers(struct up *up)
{
	struct error ignored = {0}; /* asked again */
	CLEANUP(cleanup_http_response) struct http_response response = {0};
	struct http_request request = {.method = "GET",
				       .path = "/readyz",
				       .body_fd = -1,
				       .timeout_ms = READYZ_TIMEOUT_MS,
				       .body_bytes_max = 64 * KIB};
	return http_client_perform(up->client, &request, &response, &ignored) == 0 &&
	       response.status == 200;
}

static bool worker_is_active(struct up *up)
{
	struct error ignored = {0}; /* asked again */
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	if (pg_run(up->pg, &query_setup_active_workers, NULL, &result, &ignored) < 0)
		return false;
	(void)snprintf(up->unenforced, sizeof(up->unenforced), "%s", pg_get_text(result, 0, 1));
	return pg_get_i64(result, 0, 0) > 0;
}

static bool grid_ready(void *context)
{
	struct up *up = context;
	up->api_ready = up->api_ready || api_answers(up);
	return up->api_ready && (conf_number(up->conf, CONF_WORKERS) == 0 || worker_is_active(up));
}

static int wait_until_ready(struct up *up, struct error *err)
{
	struct http_client_options client_options = {
		.base_url = up->url, .user_agent = "rgrid-up", .connect_timeout_ms = 1000};
	if (http_client_new(&client_options, &up->client, err) < 0)
		return -1;
	if (daemons_wait(&up->daemons, grid_ready, up, READY_MS, err) == 0)
		return 0;
	if (err->code == ERR_TIMEOUT) {
		enum daemon late = up->api_ready ? DAEMON_ORCHESTRATOR : DAEMON_API;
		(void)error_set(err, ERR_TIMEOUT, "%s within %d s; last said: %s",
				up->api_ready ? "no worker came up" : "the API did not get ready",
				READY_MS / 1000, up->daemons.services[late].last_line);
		return error_hint(err, "see %s", up->daemons.logs[late].path);
	}
	return -1;
}

static int write_env_file(const struct up *up, struct error *err)
{
	if (up->options->env_file == NULL)
		return 0;
	CLEANUP(cleanup_free)
	char *text = xasprintf("RGRID_URL=%s\nRGRID_TOKEN=%s\n", up->url, up->token);
	return fs_write_atomic(up->options->env_file, text, strlen(text), 0600, err);
}

static void print_usage(const struct up *up)
{
	uint64_t workers = conf_number(up->conf, CONF_WORKERS);
	uint64_t slots = conf_number(up->conf, CONF_SLOTS);
	(void)printf("The grid is up: %llu worker%s with %llu slot%s%s.\n\n",
		     (unsigned long long)workers, workers == 1 ? "" : "s",
		     (unsigned long long)slots, slots == 1 ? "" : "s", workers == 1 ? "" : " each");
	(void)printf("  export RGRID_URL=%s\n  export RGRID_TOKEN=%s\n\n", up->url, up->token);
	(void)printf("or, to keep them:  rgrid init --url %s --token %s\n"
		     "then:              rgrid run SCRIPT\n\n"
		     "data and logs: %s\n",
		     up->url, up->token, up->dir.path);
	if (up->unenforced[0] != '\0')
		(void)printf("limits that cannot be enforced on this machine: %s\n",
			     up->unenforced);
	(void)printf("Ctrl-C stops it; the next `rgrid up` finds all jobs again.\n");
	(void)fflush(stdout);
}

/* What was needed to get here only. */
static void drop_setup_connections(struct up *up)
{
	pg_free(up->pg);
	up->pg = NULL;
	http_client_free(up->client);
	up->client = NULL;
}

static int start(struct up *up, struct error *err)
{
	int (*const steps[])(struct up * up, struct error * err) = {
		start_postgres, prepare_database, start_api, start_orchestrator, wait_until_ready,
	};

	for (size_t i = 0; i < ARRAY_SIZE(steps) && !up->daemons.ended; i++) {
		if (steps[i](up, err) < 0)
			return -1;
	}
	return 0;
}

static int serve(struct up *up, struct error *err)
{
	if (start(up, err) < 0)
		return -1;
	if (up->daemons.ended)
		return 0; /* stopped while starting */
	drop_setup_connections(up);
	if (write_env_file(up, err) < 0)
		return -1;
	print_usage(up);
	(void)sd_notify(0, "READY=1");
	return daemons_wait(&up->daemons, NULL, NULL, 0, err);
}

int up_run(const struct up_options *options, struct error *err)
{
	CLEANUP(cleanup_up)
	struct up up = {
		.options = options, .conf = options->conf, .dir = {.lock_fd = -1}, .listen_fd = -1};
	if (prepare(&up, err) < 0)
		return -1;
	struct daemons_options daemons_options = {
		.dir = &up.dir,
		.log_bytes_max = conf_number(up.conf, CONF_LOG_BYTES_MAX),
		.drain_timeout_ms = conf_number(up.conf, CONF_DRAIN_TIMEOUT),
		.verbose = options->verbose};
	if (daemons_init(&up.daemons, &daemons_options, err) < 0)
		return -1;
	int result = serve(&up, err);
	remove_env_file(&up);
	daemons_release(&up.daemons);
	if (result == 0)
		data_dir_close(&up.dir);
	return result;
}
