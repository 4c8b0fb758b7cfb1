/* rgrid-worker: reads its options and its secret, shuts itself in, and lives a worker's life. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "base/opts.h"
#include "conf/conninfo.h"
#include "core/limits.h"
#include "sandbox/sandbox.h"
#include "worker/enrol.h"
#include "worker/worker.h"

#define PROGRAM		  "rgrid-worker"
#define DATABASE_VARIABLE "RGRID_WORKER_DATABASE"
#define PATH_OF_MACHINE	  "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define ENROL_PATIENCE_MS (10ULL * 60 * 1000)

struct arguments {
	const char *name;
	uint64_t slots;
	const char *state_directory;
	const char *api_url;
	const char *ca_file;
	bool enrols;
	uint64_t lost_ms_max;
	uint64_t refused_ms_max;
	uint64_t disk_bytes;
};

static int parse(struct arguments *arguments, int argc, const char **argv, bool *ret_help,
		 struct error *err)
{
	const struct opt options[] = {
		OPT_STR(0, "name", "NAME", &arguments->name, "Name of this worker", NULL),
		OPT_U64(0, "slots", "N", &arguments->slots, 1, LIMIT_SLOTS,
			"Jobs to run at a time (default 1)"),
		OPT_STR(0, "state-dir", "DIR", &arguments->state_directory,
			"Directory of its own for work, cache and sandbox", "directory"),
		OPT_STR(0, "api-url", "URL", &arguments->api_url, "Address of the API, for blobs",
			NULL),
		OPT_STR(0, "ca-file", "FILE", &arguments->ca_file,
			"Who must have signed the certificates of the database and the API", NULL),
		OPT_FLAG(0, "enrol", &arguments->enrols,
			 "Replace the login's password by one of this machine's own"),
		OPT_DURATION(0, "give-up-after", "TIME", &arguments->lost_ms_max,
			     "End when the grid has been lost for so long (default: never)"),
		OPT_DURATION(0, "give-up-refused-after", "TIME", &arguments->refused_ms_max,
			     "… when the database answers, but refuses the login (default 2m)"),
		OPT_BYTES(0, "disk", "BYTES", &arguments->disk_bytes,
			  "Size of each job's work directory (default 2 GiB)"),
	};
	const struct opt_command command = {
		.name = "",
		.synopsis = "--name NAME --state-dir DIR --api-url URL [options]",
		.summary = "Runs jobs of the grid on this machine",
		.description = "The login to the database is read from the environment: " //
		DATABASE_VARIABLE
			       ", a libpq connection string. With --enrol it is needed once only: "
			       "afterwards the one in the state directory is used.",
		.options = options,
		.option_count = ARRAY_SIZE(options),
	};
	CLEANUP(cleanup_buf) struct buf help;
	const char **positional;
	int count;

	buf_init(&help, 64 * KIB);
	if (opt_parse(&command, argc, argv, &positional, &count, ret_help, err) < 0)
		return -1;
	if (*ret_help) {
		opt_help(&command, PROGRAM, &help);
		(void)fputs(help.data, stdout);
		return 0;
	}
	if (count > 0)
		return error_set(err, ERR_INVALID, "unexpected argument \"%s\"", positional[0]);
	if (!arguments->name || !arguments->state_directory || !arguments->api_url)
		return error_set(err, ERR_INVALID, "--name, --state-dir and --api-url are needed");
	return 0;
}

/* The login to work under; to be freed. */
static int find_login(const struct arguments *arguments, char **ret, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf secured;
	CLEANUP(cleanup_free) char *given = NULL;
	const struct enrol_options *options;

	buf_init(&secured, CONNINFO_BYTES_MAX);
	if (getenv(DATABASE_VARIABLE)) {
		/* Out of the environment, which children inherit. */
		given = xstrdup(getenv(DATABASE_VARIABLE));
		(void)unsetenv(DATABASE_VARIABLE);
	} else if (!arguments->enrols) {
		return error_set(err, ERR_INVALID,
				 DATABASE_VARIABLE " is not set: the worker has no database");
	}
	if (given && arguments->ca_file) {
		if (conninfo_under_ca(given, arguments->ca_file, &secured, err) < 0)
			return -1;
		free(given);
		given = buf_detach(&secured);
	}
	if (!arguments->enrols) {
		*ret = TAKE_PTR(given);
		return 0;
	}
	options = &(struct enrol_options){
		.state_directory = arguments->state_directory,
		.conninfo = given,
		.patience_ms =
			arguments->lost_ms_max > 0 ? arguments->lost_ms_max : ENROL_PATIENCE_MS,
		.refused_ms = arguments->refused_ms_max,
	};
	return enrol(options, ret, err);
}

/* A bundle's crun and nft stand beside this program, and go before the machine's. */
static void prefer_own_directory(void)
{
	char self[PATH_MAX];
	const char *path = getenv("PATH");
	ssize_t bytes = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (bytes <= 0)
		return;
	self[bytes] = '\0';
	slash = strrchr(self, '/');
	if (slash == NULL || slash == self)
		return;
	*slash = '\0';
	CLEANUP(cleanup_free)
	char *preferred = xasprintf("%s:%s", self, path != NULL ? path : PATH_OF_MACHINE);

	(void)setenv("PATH", preferred, 1);
}

static int work(int argc, const char **argv, struct error *err)
{
	struct arguments arguments = {.slots = 1,
				      .disk_bytes = DEFAULT_DISK_BYTES,
				      .refused_ms_max = WORKER_REFUSED_MS_MAX};
	CLEANUP(cleanup_free) char *conninfo = NULL;
	struct worker_options options;
	bool help = false;

	if (parse(&arguments, argc, argv, &help, err) < 0)
		return -1;
	if (help)
		return 0;
	prefer_own_directory();
	if (find_login(&arguments, &conninfo, err) < 0)
		return -1;
	options = (struct worker_options){
		.name = arguments.name,
		.slots = (size_t)arguments.slots,
		.state_directory = arguments.state_directory,
		.api_url = arguments.api_url,
		.ca_file = arguments.ca_file,
		.conninfo = conninfo,
		.disk_bytes = arguments.disk_bytes,
		.lost_ms_max = arguments.lost_ms_max,
		.refused_ms_max = arguments.refused_ms_max,
	};
	/* The watchdog is fed by the enclosed process, which is not the one that systemd started.
	 */
	(void)unsetenv("WATCHDOG_PID");
	if (sandbox_enclose(err) < 0)
		return -1;
	return worker_run(&options, err);
}

int main(int argc, char **argv)
{
	enum log_level least = LOG_LEVEL_INFO;
	const char *level = getenv("RGRID_LOG_LEVEL");
	struct error err;

	log_init(PROGRAM, LOG_LEVEL_INFO);
	if (level && log_level_parse(level, &least, &err) < 0) {
		log_error("worker.failed", F_ERROR(&err));
		return error_exit_code(err.code);
	}
	log_init(PROGRAM, least);
	if (work(argc - 1, (const char **)(void *)(argv + 1), &err) < 0) {
		log_error("worker.failed", F_ERROR(&err), F_STR("hint", err.hint));
		return error_exit_code(err.code);
	}
	return 0;
}
