/* Runs one command in a sandbox and says how it ended, for the shell tests beside this.
 *
 *   sandbox_probe [--memory N] [--pids N] [--cpus MILLIS] [--disk N] [--volume N] [--timeout MS]
 * [--network]
 *                 [--runs N] STATE_DIR COMMAND [ARGS…]
 *
 * The command's streams are the caller's. The result is one JSON object on the descriptor that
 * PROBE_FD names (default 3, if it is open). */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/opts.h"
#include "core/ipv4.h"
#include "core/limits.h"
#include "sandbox/sandbox.h"

struct probe {
	uint64_t memory_bytes;
	uint64_t pids;
	uint64_t cpu_millis;
	uint64_t disk_bytes;
	uint64_t volume_bytes;
	uint64_t timeout_ms;
	uint64_t runs;
	bool network;
	const char *kept_address;
	uint64_t kept_port;
};

static void print_result(const struct sandbox *sandbox, const struct sandbox_result *result,
			 bool timed_out, uint64_t wall_us)
{
	CLEANUP(cleanup_json) json_t *unenforced = json_array();
	for (const char *const *text = sandbox_unenforced(sandbox); *text != NULL; text++)
		json_array_append_new(unenforced, json_string(*text));
	CLEANUP(cleanup_json)
	json_t *json =
		json_pack("{s:i, s:b, s:b, s:b, s:b, s:b, s:s, s:I, s:I, s:I, s:O}", "exit_code",
			  result->exit_code, "timed_out", timed_out, "out_of_memory",
			  result->out_of_memory, "out_of_pids", result->out_of_pids, "out_of_disk",
			  result->out_of_disk, "start_failed", result->start_failed, "message",
			  result->message, "cpu_us", (json_int_t)result->cpu_us,
			  "memory_peak_bytes", (json_int_t)result->memory_peak_bytes, "wall_us",
			  (json_int_t)wall_us, "unenforced", unenforced);
	CLEANUP(cleanup_free) char *text = json_to_text(json);
	(void)dprintf(3, "%s\n", text);
}

static int run_once(struct sandbox *sandbox, const struct probe *probe, const char **argv,
		    int *ret_exit, struct error *err)
{
	int work_fd;
	uid_t uid;
	gid_t gid;
	if (sandbox_prepare(sandbox, 0, probe->disk_bytes, &work_fd, &uid, &gid, err) < 0)
		return -1;
	struct sandbox_run run = {
		.argv = argv,
		.envp = (const char *const[]){"PROBE=1", NULL},
		.limits = {.cpu_millis = probe->cpu_millis,
			   .memory_bytes = probe->memory_bytes,
			   .timeout_ms = probe->timeout_ms,
			   .pids = probe->pids,
			   .disk_bytes = probe->disk_bytes},
		.network = probe->network ? NETWORK_PUBLIC : NETWORK_NONE,
		.stdin_fd = STDIN_FILENO,
		.stdout_fd = STDOUT_FILENO,
		.stderr_fd = STDERR_FILENO,
	};
	uint64_t begin_us = clock_boottime_us();
	pid_t pid;
	if (sandbox_start(sandbox, 0, &run, &pid, err) < 0)
		return -1;
	int pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd ended = {.fd = pid_fd, .events = POLLIN};
	bool timed_out = poll(&ended, 1, (int)probe->timeout_ms) == 0;
	if (timed_out)
		sandbox_kill(sandbox, 0);
	int status;
	if (waitpid(pid, &status, 0) != pid)
		return error_set_errno(err, ERR_INTERNAL, errno, "waitpid");
	(void)close(pid_fd);
	struct sandbox_result result;
	sandbox_finish(sandbox, 0, status, &result);
	print_result(sandbox, &result, timed_out, clock_boottime_us() - begin_us);
	*ret_exit = result.exit_code;
	return 0;
}

static int probe_main(int argc, const char **argv, int *ret_exit, struct error *err)
{
	struct probe probe = {.memory_bytes = DEFAULT_MEMORY_BYTES,
			      .pids = DEFAULT_PIDS,
			      .cpu_millis = DEFAULT_CPU_MILLIS,
			      .disk_bytes = 64 * MIB,
			      .timeout_ms = 20000,
			      .runs = 1};
	const struct opt options[] = {
		OPT_BYTES(0, "memory", "BYTES", &probe.memory_bytes, "memory limit"),
		OPT_U64(0, "pids", "N", &probe.pids, 1, LIMIT_PIDS_MAX, "processes"),
		OPT_MILLIS(0, "cpus", "N", &probe.cpu_millis, "processors"),
		OPT_BYTES(0, "disk", "BYTES", &probe.disk_bytes, "size of the work directory"),
		OPT_BYTES(0, "volume", "BYTES", &probe.volume_bytes, "most that may be asked for"),
		OPT_DURATION(0, "timeout", "TIME", &probe.timeout_ms, "time limit"),
		OPT_U64(0, "runs", "N", &probe.runs, 1, 100000, "how often to run it"),
		OPT_FLAG(0, "network", &probe.network, "with a network"),
		OPT_STR(0, "kept-address", "ADDRESS", &probe.kept_address,
			"what it does not reach, at:", NULL),
		OPT_U64(0, "kept-port", "PORT", &probe.kept_port, 1, UINT16_MAX, "this port"),
	};
	const struct opt_command command = {.name = "sandbox_probe",
					    .synopsis = "[options] STATE_DIR COMMAND [ARGS...]",
					    .summary = "Runs a command in a sandbox",
					    .options = options,
					    .option_count = ARRAY_SIZE(options),
					    .stop_at_positional = true};
	const char **words;
	int count;
	bool help = false;
	if (opt_parse(&command, argc - 1, argv + 1, &words, &count, &help, err) < 0)
		return -1;
	if (help || count < 2)
		return error_set(err, ERR_INVALID,
				 "usage: sandbox_probe [options] STATE_DIR COMMAND [ARGS...]");
	if (sandbox_enclose(err) < 0)
		return -1;
	struct network_endpoint kept_from = {.port = (uint16_t)probe.kept_port};
	if (probe.kept_address != NULL &&
	    ipv4_parse(probe.kept_address, &kept_from.address, err) < 0)
		return -1;
	struct sandbox_options sandbox_options = {
		.state_directory = words[0],
		.slots = 2,
		.disk_bytes_max = probe.volume_bytes != 0 ? probe.volume_bytes : probe.disk_bytes,
		.init_program = getenv("RGRID_SANDBOX_INIT"),
		.kept_from = &kept_from,
		.kept_from_count = probe.kept_port != 0};
	struct sandbox *sandbox;
	if (sandbox_open(&sandbox_options, &sandbox, err) < 0)
		return -1;
	int result = 0;
	for (uint64_t i = 0; i < probe.runs && result == 0; i++)
		result = run_once(sandbox, &probe, words + 1, ret_exit, err);
	sandbox_free(sandbox);
	return result;
}

int main(int argc, char **argv)
{
	struct error err = {0};
	int exit_code = 0;
	if (probe_main(argc, (const char **)(uintptr_t)argv, &exit_code, &err) < 0) {
		fprintf(stderr, "sandbox_probe: %s%s%s\n", err.msg, err.hint[0] != '\0' ? "; " : "",
			err.hint);
		return 126;
	}
	return exit_code;
}
