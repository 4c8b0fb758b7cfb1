#include "setup/cluster_new.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/fs.h"
#include "base/rand.h"
#include "base/str.h"
#include "core/limits.h"
#include "store/sql_file.h"

#define PASSWORD_BYTES	 24
#define PASSWORD_CHARS	 (2 * PASSWORD_BYTES)
#define OUTPUT_BYTES_MAX (64 * KIB)
#define SQL_BYTES_MAX	 (64 * KIB)

extern const struct sql_file sql_bootstrap[];

/* In the order of their :words in bootstrap.sql. */
static const struct login {
	const char *word;
	const char *name;
} logins[] = {
	{":operator", CLUSTER_OPERATOR},
	{":api", CLUSTER_API},
	{":orchestrator", CLUSTER_ORCHESTRATOR},
};

struct passwords {
	char text[ARRAY_SIZE(logins)][PASSWORD_CHARS + 1];
};

static void passwords_draw(struct passwords *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(logins); i++) {
		unsigned char bytes[PASSWORD_BYTES];
		rand_bytes(bytes, sizeof(bytes));
		for (size_t k = 0; k < sizeof(bytes); k++)
			(void)snprintf(ret->text[i] + 2 * k, 3, "%02x", bytes[k]);
	}
}

static int passwords_store(const struct data_dir *dir, const struct passwords *passwords,
			   struct error *err)
{
	CLEANUP(cleanup_free) char *path = data_dir_join(dir, "secrets/pgpass");
	CLEANUP(cleanup_buf) struct buf text;
	buf_init(&text, 4 * KIB);
	for (size_t i = 0; i < ARRAY_SIZE(logins); i++)
		buf_appendf(&text, "*:*:*:%s:%s\n", logins[i].name, passwords->text[i]);
	CHECK(!text.overflowed);
	return fs_write_atomic(path, text.data, text.bytes, 0600, err);
}

/* bootstrap.sql with the passwords in place of its :words. */
static void bootstrap_text(const struct passwords *passwords, struct buf *out)
{
	const char *sql = sql_bootstrap[0].sql;
	while (*sql != '\0') {
		size_t word_bytes = 0;
		for (size_t i = 0; i < ARRAY_SIZE(logins) && word_bytes == 0; i++) {
			if (!str_has_prefix(sql, logins[i].word))
				continue;
			buf_append_str(out, passwords->text[i]);
			word_bytes = strlen(logins[i].word);
		}
		if (word_bytes == 0) {
			buf_append_char(out, *sql);
			word_bytes = 1;
		}
		sql += word_bytes;
	}
	CHECK(!out->overflowed);
}

/* Runs a program of PostgreSQL as its user; what it said is the error's reason. */
static int run(const struct cluster *cluster, const char *const *argv, int stdin_fd,
	       struct error *err)
{
	struct spawn_options options = {.argv = argv,
					.directory = cluster->directory,
					.stdin_fd = stdin_fd,
					.stdout_fd = -1,
					.stderr_fd = -1,
					.uid = cluster->programs.uid,
					.gid = cluster->programs.gid,
					.new_group = true,
					.death_signal = SIGKILL,
					.umask = 0077};
	CLEANUP(cleanup_buf) struct buf output;
	buf_init(&output, OUTPUT_BYTES_MAX);
	int status = 0;
	if (spawn_wait(&options, &output, &status, err) < 0)
		return -1;
	/* Single-user mode exits with 0 whatever its statements did. */
	if (status == 0 && strstr(output.data, "ERROR:") == NULL &&
	    strstr(output.data, "FATAL:") == NULL)
		return 0;
	size_t shown = output.bytes < 300 ? 0 : output.bytes - 300;
	(void)error_set(err,
			strstr(output.data, "No space left") != NULL ? ERR_NO_SPACE : ERR_INTERNAL,
			"%s failed: %s", argv[0], output.data + shown);
	return error_hint(err,
			  "see that %s is on a disk with space, and that user %s may enter all "
			  "directories above it",
			  cluster->directory, cluster->programs.uid != 0 ? "postgres" : "you");
}

static int run_initdb(const struct cluster *cluster, const char *directory, struct error *err)
{
	const char *const argv[] = {cluster->programs.initdb,
				    "--pgdata",
				    directory,
				    "--username",
				    "rgrid_bootstrap",
				    "--auth",
				    "reject",
				    "--encoding",
				    "UTF8",
				    "--locale",
				    "C.UTF-8",
				    "--data-checksums",
				    "--no-instructions",
				    NULL};
	return run(cluster, argv, -1, err);
}

/* The text in memory, readable from its beginning. */
static int text_fd(const struct buf *text, int *ret, struct error *err)
{
	CLEANUP(cleanup_fd) int fd = memfd_create("bootstrap", MFD_CLOEXEC);
	if (fd < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot make a file in memory");
	if (fs_write_all(fd, text->data, text->bytes, err) < 0)
		return -1;
	if (lseek(fd, 0, SEEK_SET) != 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot rewind");
	*ret = TAKE_FD(fd);
	return 0;
}

static int run_bootstrap(const struct cluster *cluster, const char *directory,
			 const struct passwords *passwords, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf text;
	buf_init(&text, SQL_BYTES_MAX);
	bootstrap_text(passwords, &text);
	CLEANUP(cleanup_fd) int fd = -1;
	if (text_fd(&text, &fd, err) < 0)
		return -1;
	/* Statements are not repeated in its messages: they hold the passwords. */
	const char *const argv[] = {
		cluster->programs.postgres,	 "--single", "-j", "-D", directory, "-c",
		"log_min_error_statement=panic", "postgres", NULL};
	return run(cluster, argv, fd, err);
}

int cluster_make(const struct data_dir *dir, const struct cluster *cluster, struct error *err)
{
	CLEANUP(cleanup_free) char *unfinished = xasprintf("%s.new", cluster->data);
	struct passwords passwords;
	passwords_draw(&passwords);
	if (fs_remove_all(AT_FDCWD, unfinished, err) < 0 ||
	    passwords_store(dir, &passwords, err) < 0 || run_initdb(cluster, unfinished, err) < 0 ||
	    run_bootstrap(cluster, unfinished, &passwords, err) < 0)
		return error_wrap(err, "cannot make a PostgreSQL cluster");
	if (rename(unfinished, cluster->data) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot rename %s", unfinished);
	return 0;
}
