#include "setup/cluster.h"

#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/fs.h"
#include "base/str.h"
#include "conf/conninfo.h"
#include "core/limits.h"
#include "setup/cluster_new.h"
#include "store/migrate.h"
#include "store/pg.h"
#include "store/queries.h"

#define SOCKET_NAME "/.s.PGSQL.5432"
#define PORT	    "5432"

/* Everything that matters is set here; PostgreSQL's own postgresql.conf is not read. */
static const char fixed_settings[] =
	"# Written by rgrid up at every start.\n"
	"listen_addresses = ''\n"
	"port = " PORT "\n"
	"unix_socket_permissions = 0700\n"
	"password_encryption = 'scram-sha-256'\n"
	"shared_buffers = 128MB\n"
	"fsync = on\n"
	"synchronous_commit = on\n"
	"full_page_writes = on\n"
	"min_wal_size = 128MB\n"
	"max_wal_size = 1GB\n"
	"checkpoint_timeout = 10min\n"
	"autovacuum_naptime = 5s\n"
	"jit = off\n"
	"timezone = 'UTC'\n"
	"log_timezone = 'UTC'\n"
	"datestyle = 'iso, ymd'\n"
	"lc_messages = 'C.UTF-8'\n"
	"lc_monetary = 'C.UTF-8'\n"
	"lc_numeric = 'C.UTF-8'\n"
	"lc_time = 'C.UTF-8'\n"
	"log_destination = 'stderr'\n"
	"logging_collector = off\n"
	"log_line_prefix = '%m [%p] %q%u '\n"
	/* No values and no inner statements in the log: some are passwords, all are users' data. */
	"log_parameter_max_length = 0\n"
	"log_parameter_max_length_on_error = 0\n"
	"log_error_verbosity = terse\n";

static const char access_rules[] =
	"# Written by rgrid up at every start. Nothing else may connect.\n"
	"local rgrid all scram-sha-256\n";

/* A string of a configuration file: quotes doubled. */
static void append_quoted(struct buf *out, char quote, const char *text)
{
	buf_append_char(out, quote);
	for (const char *c = text; *c != '\0'; c++) {
		if (*c == quote || *c == '\\')
			buf_append_char(out, *c);
		buf_append_char(out, *c);
	}
	buf_append_char(out, quote);
}

static void append_setting(struct buf *out, const char *name, const char *value)
{
	buf_appendf(out, "%s = ", name);
	append_quoted(out, '\'', value);
	buf_append_char(out, '\n');
}

static int give_to_postgres(const struct cluster *cluster, const char *path, struct error *err)
{
	if (cluster->programs.uid != 0 &&
	    lchown(path, cluster->programs.uid, cluster->programs.gid) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno,
				       "cannot give %s to PostgreSQL's user", path);
	return 0;
}

static int write_for_postgres(const struct cluster *cluster, const char *path,
			      const struct buf *text, struct error *err)
{
	CHECK(!text->overflowed);
	if (fs_write_atomic(path, text->data, text->bytes, 0600, err) < 0)
		return -1;
	return give_to_postgres(cluster, path, err);
}

static int write_config(const struct cluster *cluster, const char *socket_dir, uint64_t connections,
			struct error *err)
{
	CLEANUP(cleanup_free) char *rules_path = xasprintf("%s/rgrid_hba.conf", cluster->data);
	CLEANUP(cleanup_buf) struct buf rules;
	buf_init(&rules, 4 * KIB);
	buf_append_str(&rules, access_rules);

	CLEANUP(cleanup_buf) struct buf socket_list; /* one quoted element of a list */
	buf_init(&socket_list, 16 * KIB);
	append_quoted(&socket_list, '"', socket_dir);

	CLEANUP(cleanup_buf) struct buf config;
	buf_init(&config, 64 * KIB);
	buf_append_str(&config, fixed_settings);
	buf_appendf(&config, "max_connections = %llu\n", (unsigned long long)connections);
	append_setting(&config, "unix_socket_directories", socket_list.data);
	append_setting(&config, "hba_file", rules_path);
	if (write_for_postgres(cluster, rules_path, &rules, err) < 0)
		return -1;
	return write_for_postgres(cluster, cluster->config, &config, err);
}

static bool fits_socket_address(const char *directory)
{
	struct sockaddr_un address;
	return strlen(directory) + strlen(SOCKET_NAME) < sizeof(address.sun_path);
}

/* Removes the short directory that an earlier `up` has left behind, if it is what the link says. */
static void remove_old_link(const struct cluster *cluster)
{
	char target[FS_PATH_BYTES_MAX];
	ssize_t bytes = readlink(cluster->socket, target, sizeof(target) - 1);
	if (bytes <= 0)
		return;
	target[bytes] = '\0';
	struct stat status;
	uid_t owner = cluster->programs.uid != 0 ? cluster->programs.uid : geteuid();
	if (lstat(target, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == owner &&
	    strstr(target, "/rgrid-") != NULL) {
		struct error ignored = {0}; /* an empty directory more, nothing else */
		(void)!fs_remove_all(AT_FDCWD, target, &ignored);
	}
	(void)unlink(cluster->socket);
}

static int make_short_socket_dir(struct cluster *cluster, struct error *err)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	const char *const bases[] = {geteuid() == 0 ? "/run" : runtime, "/tmp"};
	for (size_t i = 0; i < ARRAY_SIZE(bases); i++) {
		if (bases[i] == NULL || bases[i][0] != '/')
			continue;
		CLEANUP(cleanup_free) char *path = xasprintf("%s/rgrid-XXXXXX", bases[i]);
		if (!fits_socket_address(path) || mkdtemp(path) == NULL)
			continue;
		cluster->socket_short = TAKE_PTR(path);
		if (symlink(cluster->socket_short, cluster->socket) < 0)
			return error_set_errno(err, ERR_INTERNAL, errno, "cannot make the link %s",
					       cluster->socket);
		return give_to_postgres(cluster, cluster->socket_short, err);
	}
	(void)error_set(err, ERR_INVALID,
			"the path of %s is too long for a socket, and there is no "
			"place for a short one in /tmp",
			cluster->socket);
	return error_hint(err, "choose a shorter --data-dir");
}

static int make_socket_dir(struct cluster *cluster, struct error *err)
{
	remove_old_link(cluster);
	if (!fits_socket_address(cluster->socket))
		return make_short_socket_dir(cluster, err);
	if (fs_mkdir_all(cluster->socket, 0700, err) < 0)
		return -1;
	return give_to_postgres(cluster, cluster->socket, err);
}

/* The major version that made the cluster; 0 when there is none yet. */
static int read_major(const struct cluster *cluster, unsigned *ret, struct error *err)
{
	CLEANUP(cleanup_free) char *path = xasprintf("%s/PG_VERSION", cluster->data);
	CLEANUP(cleanup_buf) struct buf text;
	buf_init(&text, 64);
	if (fs_read(AT_FDCWD, path, &text, err) < 0) {
		if (err->errnum != ENOENT)
			return -1;
		error_clear(err);
		*ret = 0;
		return 0;
	}
	while (text.bytes > 0 && text.data[text.bytes - 1] == '\n')
		text.data[--text.bytes] = '\0';
	uint64_t major = 0;
	if (parse_u64(text.data, 1, 99, &major, err) < 0)
		return error_wrap(err, "%s", path);
	*ret = (unsigned)major;
	return 0;
}

static void set_argv(struct cluster *cluster)
{
	cluster->argv_text[0] = xasprintf("config_file=%s", cluster->config);
	const char *const argv[] = {cluster->programs.postgres, "-D", cluster->data, "-c",
				    cluster->argv_text[0],	NULL};
	memcpy(cluster->argv, argv, sizeof(argv));
}

int cluster_open(const struct data_dir *dir, const char *bin_dir, uint64_t connections,
		 struct cluster *ret, struct error *err)
{
	CLEANUP(cleanup_cluster)
	struct cluster cluster = {
		.directory = data_dir_join(dir, "postgres"),
		.data = data_dir_join(dir, "postgres/data"),
		.config = data_dir_join(dir, "postgres/data/rgrid.conf"),
		.socket = data_dir_join(dir, "postgres/socket"),
	};
	unsigned major = 0;
	if (read_major(&cluster, &major, err) < 0 ||
	    pg_programs_find(bin_dir, major, &cluster.programs, err) < 0 ||
	    fs_mkdir_all(cluster.directory, 0700, err) < 0 ||
	    give_to_postgres(&cluster, cluster.directory, err) < 0)
		return -1;
	if (major == 0 && cluster_make(dir, &cluster, err) < 0)
		return -1;
	if (make_socket_dir(&cluster, err) < 0)
		return -1;
	const char *socket_dir =
		cluster.socket_short != NULL ? cluster.socket_short : cluster.socket;
	if (write_config(&cluster, socket_dir, connections, err) < 0)
		return -1;
	set_argv(&cluster);
	*ret = cluster;
	cluster = (struct cluster){0};
	return 0;
}

void cluster_release(struct cluster *cluster)
{
	if (cluster->socket_short != NULL)
		remove_old_link(cluster);
	pg_programs_release(&cluster->programs);
	free(cluster->directory);
	free(cluster->data);
	free(cluster->config);
	free(cluster->socket);
	free(cluster->socket_short);
	free(cluster->argv_text[0]);
	*cluster = (struct cluster){0};
}

struct spawn_options cluster_spawn_options(const struct cluster *cluster)
{
	return (struct spawn_options){.argv = cluster->argv,
				      .directory = cluster->directory,
				      .stdin_fd = -1,
				      .uid = cluster->programs.uid,
				      .gid = cluster->programs.gid,
				      .death_signal = SIGINT,
				      .umask = 0077};
}

/* The server named in postmaster.pid, if that process really works in our directory; else 0. */
static pid_t find_postmaster(const struct cluster *cluster)
{
	CLEANUP(cleanup_free) char *path = xasprintf("%s/postmaster.pid", cluster->data);
	CLEANUP(cleanup_buf) struct buf text;
	buf_init(&text, 4 * KIB);
	struct error ignored = {0}; /* no file, no server */
	if (fs_read(AT_FDCWD, path, &text, &ignored) < 0)
		return 0;
	CLEANUP(cleanup_free) char *digits = xstrndup(text.data, strspn(text.data, "0123456789"));
	uint64_t pid = 0;
	if (parse_u64(digits, 2, INT32_MAX, &pid, &ignored) < 0)
		return 0;
	CLEANUP(cleanup_free) char *link = xasprintf("/proc/%llu/cwd", (unsigned long long)pid);
	char directory[FS_PATH_BYTES_MAX];
	ssize_t bytes = readlink(link, directory, sizeof(directory) - 1);
	if (bytes < 0)
		return 0;
	directory[bytes] = '\0';
	return str_eq(directory, cluster->data) ? (pid_t)pid : 0;
}

bool cluster_is_held(const struct cluster *cluster)
{
	pid_t pid = find_postmaster(cluster);
	return pid != 0 && kill(pid, SIGINT) == 0;
}

static char *socket_directory(const char *data_dir)
{
	CLEANUP(cleanup_free) char *path = xasprintf("%s/postgres/socket", data_dir);
	char target[FS_PATH_BYTES_MAX];
	ssize_t bytes = readlink(path, target, sizeof(target));
	return bytes > 0 ? xstrndup(target, (size_t)bytes) : TAKE_PTR(path);
}

int cluster_conninfo(const char *data_dir, const char *login, char **ret, struct error *err)
{
	CLEANUP(cleanup_free) char *passfile = xasprintf("%s/secrets/pgpass", data_dir);
	if (access(passfile, R_OK) < 0) {
		(void)error_set_errno(err, ERR_NOT_FOUND, errno,
				      "there is no database of `rgrid up` in %s", data_dir);
		return error_hint(err, "name its directory with --data-dir, or a database with "
				       "--database or RGRID_DATABASE");
	}
	CLEANUP(cleanup_free) char *socket_dir = socket_directory(data_dir);
	CLEANUP(cleanup_buf) struct buf text;
	buf_init(&text, CONNINFO_BYTES_MAX);
	conninfo_append(&text, "host", socket_dir);
	conninfo_append(&text, "port", PORT);
	conninfo_append(&text, "dbname", "rgrid");
	conninfo_append(&text, "user", login);
	conninfo_append(&text, "passfile", passfile);
	conninfo_append(&text, "connect_timeout", "5");
	if (text.overflowed)
		return error_set(err, ERR_TOO_LARGE, "the path of %s is too long", data_dir);
	*ret = buf_detach(&text);
	return 0;
}

bool cluster_is_up(const char *data_dir)
{
	CLEANUP(cleanup_free) char *conninfo = NULL;
	struct error ignored = {0}; /* no cluster, nothing up */
	return cluster_conninfo(data_dir, CLUSTER_OPERATOR, &conninfo, &ignored) == 0 &&
	       PQping(conninfo) == PQPING_OK;
}

static int drop_superuser(const char *conninfo, struct error *err)
{
	CLEANUP(cleanup_pg) struct pg *pg = NULL;
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	if (pg_open(conninfo, &pg, err) < 0 ||
	    pg_run(pg, &query_setup_is_superuser, NULL, &result, err) < 0)
		return -1;
	if (!pg_get_bool(result, 0, 0))
		return 0;
	if (pg_begin(pg, err) < 0)
		return -1;
	if (pg_do(pg, &query_setup_join_owner, NULL, NULL, err) < 0 ||
	    pg_do(pg, &query_setup_drop_superuser, NULL, NULL, err) < 0) {
		pg_rollback(pg);
		return -1;
	}
	return pg_commit(pg, err);
}

int cluster_migrate(const char *data_dir, struct error *err)
{
	CLEANUP(cleanup_free) char *conninfo = NULL;
	if (cluster_conninfo(data_dir, CLUSTER_OPERATOR, &conninfo, err) < 0 ||
	    migrate_run(conninfo, err) < 0)
		return -1;
	return drop_superuser(conninfo, err);
}
