#include "setup/pg_programs.h"

#include <pwd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/spawn.h"
#include "base/str.h"

#define PG_MAJOR_MAX	  99
#define VERSION_BYTES_MAX 256

/* "postgres (PostgreSQL) 15.20 (Debian …)" -> 15; 0 if it says anything else or does not run. */
static unsigned program_major(const char *path)
{
	const char *const argv[] = {path, "--version", NULL};
	struct spawn_options options = {
		.argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
	CLEANUP(cleanup_buf) struct buf output;
	buf_init(&output, VERSION_BYTES_MAX);
	struct error ignored = {0}; /* a program that cannot run is one that is not there */
	int status = 0;
	if (spawn_wait(&options, &output, &status, &ignored) < 0 || status != 0)
		return 0;
	const char *version = strstr(output.data, "(PostgreSQL) ");
	if (version == NULL)
		return 0;
	version += strlen("(PostgreSQL) ");
	CLEANUP(cleanup_free) char *digits = xstrndup(version, strspn(version, "0123456789"));
	uint64_t major = 0;
	return parse_u64(digits, 1, PG_MAJOR_MAX, &major, &ignored) == 0 ? (unsigned)major : 0;
}

/* True when `directory` has both programs of a version that fits. */
static bool take_directory(const char *directory, unsigned major, struct pg_programs *ret)
{
	CLEANUP(cleanup_free) char *initdb = xasprintf("%s/initdb", directory);
	CLEANUP(cleanup_free) char *postgres = xasprintf("%s/postgres", directory);
	if (access(initdb, X_OK) < 0 || access(postgres, X_OK) < 0)
		return false;
	unsigned found = program_major(postgres);
	if (found < PG_MAJOR_MIN || (major != 0 && found != major))
		return false;
	ret->initdb = TAKE_PTR(initdb);
	ret->postgres = TAKE_PTR(postgres);
	ret->major = found;
	return true;
}

static bool look_in_path(unsigned major, struct pg_programs *ret)
{
	const char *path = getenv("PATH");
	CLEANUP(cleanup_free) char *copy = xstrdup(path != NULL ? path : "/usr/bin");
	char *rest = copy;
	char *directory;
	while ((directory = strsep(&rest, ":")) != NULL) {
		if (directory[0] == '/' && take_directory(directory, major, ret))
			return true;
	}
	return false;
}

static bool look_everywhere(unsigned major, struct pg_programs *ret)
{
	unsigned newest = major != 0 ? major : PG_MAJOR_MAX;
	unsigned oldest = major != 0 ? major : PG_MAJOR_MIN;
	for (unsigned candidate = newest; candidate >= oldest; candidate--) {
		CLEANUP(cleanup_free)
		char *directory = xasprintf("/usr/lib/postgresql/%u/bin", candidate);
		if (take_directory(directory, candidate, ret))
			return true;
	}
	return look_in_path(major, ret);
}

static int choose_user(struct pg_programs *programs, struct error *err)
{
	static const char *const names[] = {"postgres", "rgrid"};

	if (geteuid() != 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct passwd *user = getpwnam(names[i]);
		if (user != NULL && user->pw_uid != 0) {
			programs->uid = user->pw_uid;
			programs->gid = user->pw_gid;
			return 0;
		}
	}
	(void)error_set(err, ERR_NOT_FOUND,
			"PostgreSQL never runs as root, and there is no user \"postgres\"");
	return error_hint(err, "install PostgreSQL's package (apt-get install postgresql), which "
			       "makes that user, or run as an ordinary user");
}

int pg_programs_find(const char *directory, unsigned major, struct pg_programs *ret,
		     struct error *err)
{
	CLEANUP(cleanup_pg_programs) struct pg_programs programs = {0};
	bool found = directory[0] != '\0' ? take_directory(directory, major, &programs)
					  : look_everywhere(major, &programs);
	if (!found) {
		if (major != 0)
			(void)error_set(
				err, ERR_NOT_FOUND,
				"the data directory was made by PostgreSQL %u, whose server "
				"programs are not installed",
				major);
		else
			(void)error_set(
				err, ERR_NOT_FOUND,
				"PostgreSQL's server programs (initdb, postgres; version %d or "
				"later) are not installed",
				PG_MAJOR_MIN);
		if (directory[0] != '\0')
			return error_hint(
				err, "they are not in %s: set postgres-bin-dir to their directory",
				directory);
		return major != 0 ? error_hint(err, "apt-get install postgresql-%u", major)
				  : error_hint(err, "apt-get install postgresql, or say where they "
						    "are with --postgres-bin-dir");
	}
	if (choose_user(&programs, err) < 0)
		return -1;
	*ret = programs;
	programs = (struct pg_programs){0};
	return 0;
}

void pg_programs_release(struct pg_programs *programs)
{
	free(programs->initdb);
	free(programs->postgres);
	*programs = (struct pg_programs){0};
}
