/* The sandbox: runs one script at a time in each slot, through crun, with a read-only root made of
 * the host's allow-listed directories, its own user, pid, mount, ipc, uts, cgroup and network
 * namespaces, no capabilities, a strict precompiled seccomp program, and limits held by a cgroup
 * that we own. As an ordinary user it is rootless; limits that then cannot be held are listed by
 * sandbox_unenforced() and never dropped silently.
 *
 * The work directory of a slot is the script's cwd (/work inside): a file system of its own with a
 * quota where possible. Everything is gone when the worker dies, however it dies: the worker lives
 * in namespaces of its own (sandbox_enclose). */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "core/job_spec.h"
#include "sandbox/network.h"

/* Called first thing in the worker's main, while single-threaded. Forks: the caller continues
 * inside new mount and pid (rootless: also user) namespaces, in which cgroup v2 of a hybrid layout
 * is covered. The outer process forwards SIGTERM/SIGINT/SIGHUP and exits as the inner does; when
 * either is killed, the kernel kills all inside. Returns in the inner process only. */
MUST_CHECK int sandbox_enclose(struct error *err);

struct sandbox;

struct sandbox_options {
	const char *state_directory; /* ours alone (locked); created if absent; what an earlier
				      * sandbox of it left behind is reaped at open */
	size_t slots;
	uint64_t disk_bytes_max;  /* most that one job's work directory may be given */
	const char *init_program; /* rgrid-sandbox-init; NULL: beside this executable */
	/* Of the public internet: what a job with network does not reach all the same. */
	const struct network_endpoint *kept_from;
	size_t kept_from_count;
};

/* Sets the process's umask to 022. Also runs one program in a sandbox, to be sure that it works and
 * that crun applies the system call filter: an older one would run scripts without. */
MUST_CHECK int sandbox_open(const struct sandbox_options *options, struct sandbox **ret,
			    struct error *err);
/* All slots must be finished. Removes cgroups, mounts and files of ours. */
void sandbox_free(struct sandbox *sandbox);

/* Limits that this machine cannot hold, "memory: the memory cgroup is not ours to use", …;
 * NULL-terminated, constant for the sandbox's life. */
const char *const *sandbox_unenforced(const struct sandbox *sandbox);

/* Makes the slot's work directory empty and of `disk_bytes` for the next job, and returns a
 * descriptor of it (owned by the sandbox, valid until the slot's next sandbox_prepare). The owner
 * to give staged files is *ret_uid, *ret_gid. ERR_UNPROCESSABLE when disk_bytes is more than the
 * worker's disk_bytes_max. */
MUST_CHECK int sandbox_prepare(struct sandbox *sandbox, size_t slot, uint64_t disk_bytes,
			       int *ret_work_fd, uid_t *ret_uid, gid_t *ret_gid, struct error *err);

struct sandbox_run {
	const char *const *argv; /* inside the sandbox */
	const char *const *envp; /* complete but for PATH, HOME, LANG, TMPDIR, which are added */
	struct job_limits limits;
	enum job_network network;
	int stdin_fd; /* all three stay the caller's */
	int stdout_fd;
	int stderr_fd;
};

/* Starts it; *ret_pid is the process to wait for (crun). ERR_UNPROCESSABLE when this machine cannot
 * run such a job at all (network without one, more memory than the machine has): outcome
 * `rejected`. */
MUST_CHECK int sandbox_start(struct sandbox *sandbox, size_t slot, const struct sandbox_run *run,
			     pid_t *ret_pid, struct error *err);
/* Kills everything in the slot, at once. Idempotent; the pid must still be waited for. */
void sandbox_kill(struct sandbox *sandbox, size_t slot);

struct sandbox_result {
	int exit_code;	    /* 128+n for signal n */
	bool out_of_memory; /* the kernel killed for the memory limit */
	bool out_of_pids;   /* a fork was refused for the pids limit */
	bool out_of_disk;   /* the work file system is full */
	bool start_failed;  /* the sandbox, not the script, failed; message says why */
	char message[256];
	uint64_t cpu_us;
	uint64_t memory_peak_bytes; /* 0: unknown */
};

/* After the pid was reaped with `wait_status`: kills stragglers, reads the accounts. The work
 * directory stays readable until the slot's next sandbox_prepare. */
void sandbox_finish(struct sandbox *sandbox, size_t slot, int wait_status,
		    struct sandbox_result *ret);
