#include "setup/pg_debian.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/spawn.h"
#include "base/str.h"
#include "conf/conninfo.h"
#include "store/migrate.h"
#include "store/queries.h"

#define OUTPUT_BYTES_MAX  ((size_t)64 * 1024)
#define RELOAD_TIMEOUT_MS 20000
#define POLL_NS		  (20L * 1000 * 1000)
#define PID_FILE_LINES	  5
#define CONFIG_TOP	  "/etc/postgresql"

/* Runs it and fills *output with what it printed. */
static int run(const char *const *argv, struct buf *output, struct error *err)
{
	struct spawn_options options = {
		.argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
	int status = 0;

	if (spawn_wait(&options, output, &status, err) < 0)
		return -1;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	while (output->bytes > 0 && output->data[output->bytes - 1] == '\n')
		output->data[--output->bytes] = '\0';
	return error_set(err, ERR_INTERNAL, "%s failed: %s", argv[0], output->data);
}

int pg_debian_command(const char *const *argv, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf output;

	buf_init(&output, OUTPUT_BYTES_MAX);
	return run(argv, &output, err);
}

void pg_debian_release(struct pg_debian *cluster)
{
	free(cluster->version);
	free(cluster->name);
	free(cluster->config);
	free(cluster->data);
	free(cluster->socket);
	free(cluster->user);
	*cluster = (struct pg_debian){0};
}

/* postmaster.pid: pid, data directory, start, port, socket directory, … a line each. */
static int read_pid_file(struct pg_debian *cluster, struct error *err)
{
	CLEANUP(cleanup_free) char *path = xasprintf("%s/postmaster.pid", cluster->data);
	CLEANUP(cleanup_buf) struct buf text;
	char *lines[PID_FILE_LINES] = {0};

	buf_init(&text, OUTPUT_BYTES_MAX);
	if (fs_read(AT_FDCWD, path, &text, err) < 0)
		return -1;
	char *rest = text.data;
	for (size_t i = 0; i < PID_FILE_LINES; i++) {
		lines[i] = strsep(&rest, "\n");
		if (lines[i] == NULL)
			return error_set(err, ERR_UNAVAILABLE, "%s is not complete", path);
	}
	if (parse_u64(lines[3], 1, UINT16_MAX, &cluster->port, err) < 0)
		return error_wrap(err, "%s", path);
	/* With several socket directories this is the first. */
	cluster->socket = xstrdup(lines[4]);
	return 0;
}

/* A line of pg_lsclusters: version, name, port, status, owner, data directory, log. */
struct listed {
	const char *words[6];
};

static bool listed_parse(char *line, struct listed *ret)
{
	char *rest = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(ret->words); i++) {
		ret->words[i] = strtok_r(i == 0 ? line : NULL, " \t", &rest);
		if (ret->words[i] == NULL)
			return false;
	}
	return true;
}

static int take(const struct listed *listed, struct pg_debian *ret, struct error *err)
{
	const struct passwd *owner = getpwnam(listed->words[4]);

	if (!str_has_prefix(listed->words[3], "online")) {
		(void)error_set(err, ERR_UNAVAILABLE, "PostgreSQL %s/%s does not run",
				listed->words[0], listed->words[1]);
		return error_hint(err, "pg_ctlcluster %s %s start", listed->words[0],
				  listed->words[1]);
	}
	if (owner == NULL || owner->pw_uid == 0)
		return error_set(err, ERR_CONFLICT, "PostgreSQL %s/%s belongs to %s",
				 listed->words[0], listed->words[1], listed->words[4]);
	*ret = (struct pg_debian){
		.version = xstrdup(listed->words[0]),
		.name = xstrdup(listed->words[1]),
		.config = xasprintf(CONFIG_TOP "/%s/%s", listed->words[0], listed->words[1]),
		.data = xstrdup(listed->words[5]),
		.uid = owner->pw_uid,
		.gid = owner->pw_gid,
		.user = xstrdup(owner->pw_name),
	};
	if (read_pid_file(ret, err) == 0)
		return 0;
	pg_debian_release(ret);
	return -1;
}

static int list_clusters(struct buf *output, struct error *err)
{
	const char *const argv[] = {"pg_lsclusters", "--no-header", NULL};

	if (run(argv, output, err) == 0)
		return 0;
	if (err->code != ERR_NOT_FOUND) /* it is there, and cannot read a file, say */
		return -1;
	return error_set(err, ERR_NOT_FOUND, "there is no PostgreSQL of Debian's on this machine");
}

int pg_debian_find(const char *wanted, struct pg_debian *ret, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf output;
	CLEANUP(cleanup_buf) struct buf names;
	struct listed chosen = {0};
	size_t chosen_count = 0;

	buf_init(&output, OUTPUT_BYTES_MAX);
	buf_init(&names, OUTPUT_BYTES_MAX);
	if (geteuid() != 0)
		return error_set(err, ERR_FORBIDDEN,
				 "only root can look into PostgreSQL's configuration");
	if (list_clusters(&output, err) < 0)
		return -1;
	char *rest = output.data;
	for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
		struct listed listed;
		if (!listed_parse(line, &listed))
			continue;
		CLEANUP(cleanup_free)
		char *name = xasprintf("%s/%s", listed.words[0], listed.words[1]);
		buf_appendf(&names, " %s", name);
		if (wanted != NULL && !str_eq(wanted, name))
			continue;
		chosen = listed;
		chosen_count++;
	}
	if (chosen_count == 1)
		return take(&chosen, ret, err);
	if (names.bytes == 0)
		return error_set(err, ERR_NOT_FOUND, "there is no PostgreSQL cluster here");
	(void)error_set(err, ERR_NOT_FOUND,
			wanted == NULL ? "there are several PostgreSQL clusters:%s"
				       : "there is no such PostgreSQL cluster; there are:%s",
			names.data);
	return error_hint(err, "say which: --cluster VERSION/NAME");
}

int pg_debian_other_with(const struct pg_debian *cluster, const char *file, char **ret_name,
			 struct error *err)
{
	CLEANUP(cleanup_buf) struct buf output;
	CLEANUP(cleanup_free) char *found = NULL;

	buf_init(&output, OUTPUT_BYTES_MAX);
	if (list_clusters(&output, err) < 0)
		return -1;
	char *rest = output.data;
	for (char *line = strsep(&rest, "\n"); line != NULL && found == NULL;
	     line = strsep(&rest, "\n")) {
		struct listed listed;
		if (!listed_parse(line, &listed) || !str_has_prefix(listed.words[3], "online"))
			continue;
		CLEANUP(cleanup_free)
		char *directory = xasprintf(CONFIG_TOP "/%s/%s", listed.words[0], listed.words[1]);
		CLEANUP(cleanup_free) char *path = xasprintf("%s/%s", directory, file);
		if (!str_eq(directory, cluster->config) && access(path, F_OK) == 0)
			found = xasprintf("%s/%s", listed.words[0], listed.words[1]);
	}
	*ret_name = TAKE_PTR(found);
	return 0;
}

/* "peer" authentication asks for the effective user of whoever connects. */
static int become_owner(const struct pg_debian *cluster, struct error *err)
{
	if (seteuid(cluster->uid) == 0)
		return 0;
	return error_set_errno(err, ERR_FORBIDDEN, errno, "cannot become %s", cluster->user);
}

/* Hands `result` on. */
static int become_root(int result, struct error *err)
{
	if (seteuid(0) == 0)
		return result;
	return error_set_errno(err, ERR_INTERNAL, errno, "cannot become root again");
}

static void make_conninfo(const struct pg_debian *cluster, const char *database, struct buf *ret)
{
	buf_init(ret, CONNINFO_BYTES_MAX);
	conninfo_append(ret, "host", cluster->socket);
	buf_appendf(ret, " port='%u'", (unsigned)cluster->port);
	conninfo_append(ret, "dbname", database);
	conninfo_append(ret, "user", cluster->user);
}

int pg_debian_connect_to(const struct pg_debian *cluster, const char *database, struct pg **ret,
			 struct error *err)
{
	CLEANUP(cleanup_buf) struct buf conninfo;

	make_conninfo(cluster, database, &conninfo);
	if (become_owner(cluster, err) < 0)
		return -1;
	return become_root(pg_open(conninfo.data, ret, err), err);
}

int pg_debian_connect(const struct pg_debian *cluster, struct pg **ret, struct error *err)
{
	return pg_debian_connect_to(cluster, "postgres", ret, err);
}

int pg_debian_migrate(const struct pg_debian *cluster, const char *database, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf conninfo;

	make_conninfo(cluster, database, &conninfo);
	if (become_owner(cluster, err) < 0)
		return -1;
	return become_root(migrate_run(conninfo.data, err), err);
}

void pg_in_force_release(struct pg_in_force *in_force)
{
	free(in_force->listen_addresses);
	free(in_force->listen_source);
	free(in_force->cert_file);
	free(in_force->key_file);
	free(in_force->ssl_min);
	free(in_force->password_encryption);
	free(in_force->hba_file);
	*in_force = (struct pg_in_force){0};
}

int pg_debian_in_force(const struct pg_debian *cluster, const char *database,
		       struct pg_in_force *ret, struct error *err)
{
	CLEANUP(cleanup_pg) struct pg *pg = NULL;
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;

	pg_param_text(&params, database);
	if (pg_debian_connect(cluster, &pg, err) < 0 ||
	    pg_run(pg, &query_exposure_settings, &params, &result, err) < 0)
		return -1;
	*ret = (struct pg_in_force){
		.listen_addresses = xstrdup(pg_get_text(result, 0, 0)),
		.ssl = pg_get_bool(result, 0, 1),
		.cert_file = xstrdup(pg_get_text(result, 0, 2)),
		.key_file = xstrdup(pg_get_text(result, 0, 3)),
		.ssl_min = xstrdup(pg_get_text(result, 0, 4)),
		.password_encryption = xstrdup(pg_get_text(result, 0, 5)),
		.hba_file = xstrdup(pg_get_text(result, 0, 6)),
		.version_num = pg_get_i64(result, 0, 7),
		.load_wall_us = pg_get_i64(result, 0, 8),
		.listen_pending = pg_get_bool(result, 0, 9),
		.listen_source = xstrdup(pg_get_text(result, 0, 10)),
		.database_exists = pg_get_bool(result, 0, 11),
	};
	return 0;
}

int pg_debian_hba_check(const struct pg_debian *cluster, struct error *err)
{
	CLEANUP(cleanup_pg) struct pg *pg = NULL;
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;

	if (pg_debian_connect(cluster, &pg, err) < 0 ||
	    pg_run(pg, &query_exposure_hba_fault, NULL, &result, err) < 0)
		return -1;
	if (PQntuples(result) == 0)
		return 0;
	return error_set(err, ERR_CONFLICT, "pg_hba.conf, line %lld: %s",
			 (long long)pg_get_i64(result, 0, 0), pg_get_text(result, 0, 1));
}

int pg_debian_conf_check(const struct pg_debian *cluster, bool with_restart, struct error *err)
{
	enum { FILE_NAME, LINE, NAME, FAULT, WAITS };
	CLEANUP(cleanup_pg) struct pg *pg = NULL;
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *files = NULL;
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;

	pg_param_bool(&params, with_restart);
	if (pg_debian_connect(cluster, &pg, err) < 0 ||
	    pg_run(pg, &query_exposure_conf_read, NULL, &files, err) < 0 ||
	    pg_run(pg, &query_exposure_conf_fault, &params, &result, err) < 0)
		return -1;
	if (PQntuples(result) == 0)
		return 0;
	const char *file = pg_get_text(result, 0, FILE_NAME);
	const char *name = pg_get_text(result, 0, NAME);
	CLEANUP(cleanup_free)
	char *where = file[0] == '\0' ? xstrdup("its configuration")
				      : xasprintf("%s, line %lld", file,
						  (long long)pg_get_i64(result, 0, LINE));
	if (pg_get_bool(result, 0, WAITS)) {
		(void)error_set(err, ERR_CONFLICT,
				"PostgreSQL waits for a restart because of %s (%s), which is not "
				"RGrid's",
				name, where);
		return error_hint(err, "see that it starts so: pg_ctlcluster %s %s restart",
				  cluster->version, cluster->name);
	}
	(void)error_set(err, ERR_CONFLICT, "%s: %s%s%s", where, name, name[0] != '\0' ? ": " : "",
			pg_get_text(result, 0, FAULT));
	return error_hint(err, "mend that line first: PostgreSQL would not start with it");
}

int pg_debian_conf_obeyed(const struct pg_debian *cluster, const char *path, struct error *err)
{
	enum { FILE_NAME, LINE, NAME };
	CLEANUP(cleanup_pg) struct pg *pg = NULL;
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *is_read = NULL;
	CLEANUP(cleanup_pgresult) PGresult *later = NULL;

	pg_param_text(&params, path);
	if (pg_debian_connect(cluster, &pg, err) < 0 ||
	    pg_run(pg, &query_exposure_conf_is_read, &params, &is_read, err) < 0 ||
	    pg_run(pg, &query_exposure_conf_override, &params, &later, err) < 0)
		return -1;
	if (!pg_get_bool(is_read, 0, 0)) {
		(void)error_set(err, ERR_CONFLICT, "PostgreSQL does not read %s", path);
		return error_hint(err,
				  "put this line into %s/postgresql.conf: include_dir 'conf.d'",
				  cluster->config);
	}
	if (PQntuples(later) == 0)
		return 0;
	const char *file = pg_get_text(later, 0, FILE_NAME);
	const char *name = pg_get_text(later, 0, NAME);
	(void)error_set(err, ERR_CONFLICT, "%s, line %lld, sets %s after %s", file,
			(long long)pg_get_i64(later, 0, LINE), name, path);
	if (str_eq(fs_basename(file), "postgresql.auto.conf"))
		return error_hint(err, "as PostgreSQL's superuser: ALTER SYSTEM RESET %s", name);
	return error_hint(err, "comment that line out");
}

int pg_debian_reload(const struct pg_debian *cluster, struct error *err)
{
	CLEANUP(cleanup_pg) struct pg *pg = NULL;
	CLEANUP(cleanup_pg_in_force) struct pg_in_force before = {0};
	uint64_t deadline_ms = clock_boottime_ms() + RELOAD_TIMEOUT_MS;
	struct timespec pause = {.tv_nsec = POLL_NS};

	if (pg_debian_in_force(cluster, "", &before, err) < 0 ||
	    pg_debian_connect(cluster, &pg, err) < 0 ||
	    pg_do(pg, &query_exposure_reload, NULL, NULL, err) < 0)
		return -1;
	while (clock_boottime_ms() < deadline_ms) {
		CLEANUP(cleanup_pg_in_force) struct pg_in_force now = {0};
		if (pg_debian_in_force(cluster, "", &now, err) < 0)
			return -1;
		if (now.load_wall_us != before.load_wall_us)
			return 0;
		(void)nanosleep(&pause, NULL);
	}
	return error_set(err, ERR_TIMEOUT, "PostgreSQL does not read its configuration again");
}

int pg_debian_restart(const struct pg_debian *cluster, struct error *err)
{
	const char *const argv[] = {
		"pg_ctlcluster", cluster->version, cluster->name, "restart", "-m", "fast", NULL};
	return pg_debian_command(argv, err);
}
