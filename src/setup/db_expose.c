#include "setup/db_expose.h"

#include <libpq-fe.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/str.h"
#include "core/address_list.h"
#include "core/ipv4.h"
#include "setup/db_expose_steps.h"
#include "setup/db_proof.h"
#include "setup/env_file.h"
#include "setup/setup_lock.h"

#define HOST_NAME_BYTES 254
#define VERSION_NUM_MIN (PG_VERSION_MIN * 10000)
#define PG_VERSION_MIN	15
#define ROUNDS_MAX	100 /* a list that changes all the time is looked at again later */

char *db_expose_database(const struct conf *conf)
{
	PQconninfoOption *all = PQconninfoParse(conf_text(conf, CONF_DATABASE), NULL);
	char *found = NULL;

	for (const PQconninfoOption *at = all; at != NULL && at->keyword != NULL; at++) {
		if (str_eq(at->keyword, "dbname") && at->val != NULL && at->val[0] != '\0')
			found = xstrdup(at->val);
	}
	PQconninfoFree(all);
	return found != NULL ? found : xstrdup(DB_EXPOSE_DATABASE);
}

void db_expose_paths_make(const struct pg_debian *cluster, const struct pg_in_force *in_force,
			  const char *pki_dir, struct db_expose_paths *ret)
{
	*ret = (struct db_expose_paths){
		.conf = xasprintf("%s/" DB_EXPOSE_CONF, cluster->config),
		.pem = xasprintf("%s/rgrid-server.pem", cluster->config),
		.api_pem = xasprintf("%s/api.pem", pki_dir),
		.ca = pki_ca_path(pki_dir),
		.hba = xstrdup(in_force->hba_file),
		.hba_backup = xasprintf("%s.rgrid-backup", in_force->hba_file),
	};
}

void db_expose_paths_release(struct db_expose_paths *paths)
{
	free(paths->conf);
	free(paths->pem);
	free(paths->api_pem);
	free(paths->ca);
	free(paths->hba);
	free(paths->hba_backup);
	*paths = (struct db_expose_paths){0};
}

uint64_t db_expose_api_port(const char *env_file)
{
	CLEANUP(cleanup_buf) struct buf url;
	struct error ignored = {0};
	uint64_t port = 0;

	buf_init(&url, ENV_FILE_BYTES_MAX);
	const char *colon = env_file_find(env_file, "RGRID_WORKER_API_URL", &url) && url.bytes > 0
				    ? strrchr(url.data, ':')
				    : NULL;
	return colon != NULL && parse_u64(colon + 1, 1, UINT16_MAX, &port, &ignored) == 0
		       ? port
		       : DB_EXPOSE_API_PORT;
}

/* What the options and their defaults come to, with the memory behind it. */
struct wish {
	char *database;
	struct env_values env;
	struct buf public_ip;	  /* as the environment file has it */
	struct address_list list; /* as public_workers_file has it */
	char (*texts)[IPV4_RANGE_BYTES];
	const char **listed; /* list, as ranges */
	const char *subnet[1];
	const char *ip[1];
	char host[HOST_NAME_BYTES];
	const char *dns[1];
};

static void wish_release(struct wish *wish)
{
	free(wish->database);
	free(wish->texts);
	free(wish->listed);
	buf_release(&wish->public_ip);
}

static void task_release(struct db_task *task)
{
	pg_debian_release(&task->cluster);
	pg_in_force_release(&task->in_force);
	db_expose_paths_release(&task->paths);
}

static const char *choose_ip(const struct db_expose_options *options, const struct wish *wish)
{
	const char *from_environment = getenv(DB_EXPOSE_IP_VARIABLE);

	if (options->public_ip != NULL)
		return options->public_ip;
	if (wish->public_ip.bytes > 0)
		return wish->public_ip.data;
	if (options->private_ip != NULL)
		return options->private_ip;
	if (from_environment != NULL && from_environment[0] != '\0')
		return from_environment;
	return wish->env.db_ip[0] != '\0' ? wish->env.db_ip : DB_EXPOSE_IP_DEFAULT;
}

/* The machine's name is a name of the certificate if it can be one. */
static bool host_name(char out[HOST_NAME_BYTES])
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-.";
	return gethostname(out, HOST_NAME_BYTES - 1) == 0 && out[0] != '\0' &&
	       out[strspn(out, chars)] == '\0';
}

static int check_options(const struct db_expose_options *options, struct error *err)
{
	bool has_file = options->public_workers_file != NULL;
	bool has_workers = options->public_workers.count > 0;

	if (options->undo || (has_file && !has_workers) ||
	    (!has_file && has_workers == (options->public_ip != NULL)))
		return 0;
	(void)error_set(err, ERR_INVALID,
			has_file ? "--public-workers and --public-worker exclude each other"
				 : "--public-ip and --public-worker are only good together");
	return error_hint(err, "--public-ip is this server's address, --public-worker ADDRESS/32 a "
			       "worker's, --public-workers a file of them");
}

/* The address and the workers of a grid whose orchestrator names them. The environment has the last
 * word: in a grid with a private network an old list opens nothing. */
static int read_list(const struct db_expose_options *options, const char *env_file,
		     struct wish *wish, struct error *err)
{
	const char *path = options->public_workers_file;
	CLEANUP(cleanup_buf) struct buf text;

	buf_init(&text, ADDRESS_LIST_BYTES_MAX);
	if (wish->env.network_id[0] != '\0') {
		(void)error_set(err, ERR_CONFLICT,
				"the private network is on: %s sets " ENV_NETWORK_ID, env_file);
		return error_hint(err, "rgrid network rollback switches it off");
	}
	if (options->public_ip == NULL &&
	    (!env_file_find(env_file, DB_EXPOSE_PUBLIC_IP, &wish->public_ip) ||
	     wish->public_ip.bytes == 0)) {
		(void)error_set(err, ERR_INVALID, "this server's public address is not known");
		return error_hint(err, "--public-ip, or " DB_EXPOSE_PUBLIC_IP " in %s", env_file);
	}
	if (fs_read_regular(path, &text, err) < 0)
		return -1;
	if (address_list_parse(text.data, text.bytes, &wish->list, err) < 0) {
		(void)error_wrap(err, "%s", path);
		return error_hint(err,
				  "nothing was changed; the file is the orchestrator's to write");
	}
	wish->texts = xcalloc(wish->list.count + 1, sizeof(*wish->texts));
	wish->listed = xcalloc(wish->list.count + 1, sizeof(*wish->listed));
	for (size_t i = 0; i < wish->list.count; i++) {
		char address[IPV4_BYTES];
		(void)snprintf(wish->texts[i], sizeof(wish->texts[i]), "%s/32",
			       ipv4_format(wish->list.items[i], address));
		wish->listed[i] = wish->texts[i];
	}
	return 0;
}

static void choose_sources(const struct db_expose_options *options, const struct wish *wish,
			   struct db_exposure *exposure)
{
	exposure->is_public = options->public_ip != NULL || options->public_workers_file != NULL;
	exposure->sources = exposure->is_public ? options->public_workers.items : wish->subnet;
	exposure->source_count = exposure->is_public ? options->public_workers.count : 1;
	if (options->public_workers_file != NULL) {
		exposure->sources = wish->listed;
		exposure->source_count = wish->list.count;
	}
}

static int wish_make(const struct db_expose_options *options, struct wish *wish,
		     struct db_task *task, struct error *err)
{
	const char *env_file = options->env_file != NULL ? options->env_file : ENV_FILE_DEFAULT;

	buf_init(&wish->public_ip, ENV_FILE_BYTES_MAX);
	if (check_options(options, err) < 0 || env_file_read(env_file, &wish->env, NULL, err) < 0 ||
	    (options->public_workers_file != NULL && !options->undo &&
	     read_list(options, env_file, wish, err) < 0))
		return -1;
	wish->database = options->database != NULL ? xstrdup(options->database)
						   : db_expose_database(options->conf);
	wish->ip[0] = choose_ip(options, wish);
	wish->subnet[0] = options->subnet != NULL ? options->subnet : DB_EXPOSE_SUBNET_DEFAULT;
	wish->dns[0] = wish->host;
	task->names = (struct pki_names){.ips = wish->ip,
					 .ip_count = 1,
					 .dns = wish->dns,
					 .dns_count = host_name(wish->host) ? 1 : 0};
	task->exposure = (struct db_exposure){
		.database = wish->database,
		.ip = wish->ip[0],
		.api_port = db_expose_api_port(env_file),
	};
	choose_sources(options, wish, &task->exposure);
	/* What is taken back need not be what these options would open. */
	return options->undo ? 0 : db_exposure_check(&task->exposure, err);
}

/* The firewall's table guards one port: with a second cluster the first would stand unguarded. */
static int check_alone(const struct db_task *task, struct error *err)
{
	CLEANUP(cleanup_free) char *other = NULL;

	/* What is there of this one may always be taken back. */
	if (task->options->undo && access(task->paths.conf, F_OK) == 0)
		return 0;
	if (pg_debian_other_with(&task->cluster, DB_EXPOSE_CONF, &other, err) < 0)
		return -1;
	if (other == NULL)
		return 0;
	(void)error_set(err, ERR_CONFLICT, "PostgreSQL %s is the exposed one, and one can be",
			other);
	return error_hint(err, "%srgrid db expose --undo --cluster %s",
			  task->options->undo ? "" : "take that back first: ", other);
}

static int look_around(struct db_task *task, struct error *err)
{
	if (pg_debian_find(task->options->cluster, &task->cluster, err) < 0 ||
	    pg_debian_in_force(&task->cluster, task->exposure.database, &task->in_force, err) < 0)
		return -1;
	task->exposure.port = task->cluster.port;
	db_expose_paths_make(&task->cluster, &task->in_force, task->pki_dir, &task->paths);
	task->exposure.pem = task->paths.pem;
	if (check_alone(task, err) < 0)
		return -1;
	if (task->options->undo)
		return 0;
	if (task->in_force.version_num < VERSION_NUM_MIN)
		return error_set(err, ERR_CONFLICT, "PostgreSQL is %lld, %d is needed",
				 (long long)(task->in_force.version_num / 10000), PG_VERSION_MIN);
	/* Nobody named it: `rgrid server setup` makes it, before or after. */
	bool is_named = task->options->database != NULL ||
			conf_text(task->options->conf, CONF_DATABASE)[0] != '\0';
	if (!task->in_force.database_exists && is_named) {
		(void)error_set(err, ERR_NOT_FOUND, "PostgreSQL %s/%s has no database \"%s\"",
				task->cluster.version, task->cluster.name, task->exposure.database);
		return error_hint(err, "name it: --dbname");
	}
	if (!db_has_address(task->exposure.ip)) {
		(void)error_set(err, ERR_CONFLICT, "no interface of this machine has %s",
				task->exposure.ip);
		return error_hint(err, "rgrid network setup; then see ip -br address");
	}
	return 0;
}

static void tell(const struct db_task *task, const struct db_step *step, const char *state,
		 json_t *items)
{
	if (items != NULL) {
		(void)json_array_append_new(items, json_pack("{s:s, s:s, s:s}", "step", step->name,
							     "state", state, "what", task->note));
		return;
	}
	(void)printf("%-9s %s: %s\n", state, step->name, task->note);
	(void)fflush(stdout);
}

static void die_if_asked(const struct db_step *step)
{
	const char *name = getenv(DB_EXPOSE_DIE_VARIABLE);

	if (name != NULL && str_eq(name, step->name))
		(void)raise(SIGKILL);
}

static int run_step(struct db_task *task, const struct db_step *step, json_t *items,
		    struct error *err)
{
	bool needed = false;

	pg_in_force_release(&task->in_force);
	if (pg_debian_in_force(&task->cluster, task->exposure.database, &task->in_force, err) < 0 ||
	    step->look(task, &needed, err) < 0)
		return error_wrap(err, "%s", step->name);
	if (!needed) {
		tell(task, step, "kept", items);
	} else if (task->options->dry_run) {
		tell(task, step, "would do", items);
	} else {
		if (step->apply(task, err) < 0)
			return error_wrap(err, "%s", step->name);
		tell(task, step, "done", items);
	}
	die_if_asked(step);
	return 0;
}

static void announce_public(const struct db_task *task)
{
	(void)fprintf(stderr,
		      "WARNING: PostgreSQL is opened on the PUBLIC address %s, to %zu worker%s, "
		      "over TLS. Prefer a private network: rgrid network setup.\n",
		      task->exposure.ip, task->exposure.source_count,
		      task->exposure.source_count == 1 ? "" : "s");
}

static int run_steps(struct db_task *task, struct error *err)
{
	bool undo = task->options->undo;
	const struct db_step *steps = undo ? db_undo_steps : db_expose_steps;
	size_t count = undo ? db_undo_step_count : db_expose_step_count;
	CLEANUP(cleanup_json) json_t *items = task->options->json ? json_array() : NULL;

	for (size_t i = 0; i < count; i++) {
		if (run_step(task, &steps[i], items, err) < 0)
			return -1;
	}
	if (items != NULL) {
		CLEANUP(cleanup_json)
		json_t *all = json_pack("{s:s++, s:s, s:s, s:I, s:s, s:O}", "cluster",
					task->cluster.version, "/", task->cluster.name, "database",
					task->exposure.database, "ip", task->exposure.ip, "port",
					(json_int_t)task->exposure.port, "ca", task->paths.ca,
					"steps", items);
		CLEANUP(cleanup_free) char *text = json_to_text(all);
		(void)puts(text);
	}
	return 0;
}

static int expose(const struct db_expose_options *options, struct address_list *ret_list,
		  struct error *err)
{
	CLEANUP(wish_release) struct wish wish = {0};
	CLEANUP(task_release)
	struct db_task task = {
		.options = options,
		.pki_dir = options->pki_dir != NULL ? options->pki_dir : PKI_DIRECTORY_DEFAULT,
	};

	if (wish_make(options, &wish, &task, err) < 0 || look_around(&task, err) < 0)
		return -1;
	if (task.exposure.is_public && !options->undo)
		announce_public(&task);
	*ret_list = wish.list;
	return run_steps(&task, err);
}

/* Whether the file says something else now. What cannot be read is for the next run to refuse. */
static bool list_has_changed(const char *path, const struct address_list *seen)
{
	CLEANUP(cleanup_buf) struct buf text;
	struct address_list now = {.count = 0};
	struct error ignored = {0};

	buf_init(&text, ADDRESS_LIST_BYTES_MAX);
	return fs_read_regular(path, &text, &ignored) == 0 &&
	       address_list_parse(text.data, text.bytes, &now, &ignored) == 0 &&
	       !address_list_equals(&now, seen);
}

int db_expose(const struct db_expose_options *options, struct error *err)
{
	const char *file = options->undo ? NULL : options->public_workers_file;
	struct address_list seen = {.count = 0};
	CLEANUP(cleanup_fd) int lock = -1;

	if (geteuid() == 0 && !options->dry_run && setup_lock_take(&lock, err) < 0)
		return -1;
	/* systemd starts nothing for a change that it sees while we run. */
	for (unsigned round = 0; round < ROUNDS_MAX; round++) {
		if (expose(options, &seen, err) < 0)
			return -1;
		if (file == NULL || options->dry_run || options->json ||
		    !list_has_changed(file, &seen))
			break;
	}
	return 0;
}
