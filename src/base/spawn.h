/* Child processes: an argv array, never a shell; chosen descriptors, all others closed by
 * O_CLOEXEC; own process group on request; death with the parent on request. */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

struct spawn_options {
	const char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH if without '/' */
	const char *const *envp; /* NULL-terminated, or NULL: the parent's */
	const char *directory;	 /* NULL: the parent's */
	int stdin_fd;		 /* -1: /dev/null; ownership stays with the caller */
	int stdout_fd;		 /* -1: the parent's */
	int stderr_fd;		 /* -1: the parent's */
	uid_t uid;		 /* 0: unchanged; else setgroups/setgid/setuid before exec */
	gid_t gid;
	bool new_group;	  /* setpgid(0, 0) */
	int death_signal; /* 0, or sent to the child when the parent dies */
	mode_t umask;	  /* 0: unchanged */
	/* NULL-terminated paths of cgroup.procs files, or NULL: the child is in these cgroups
	 * before it becomes the program. */
	const char *const *join_cgroups;
};

/* The file that a name without '/' stands for, sought in PATH; a name with one is itself.
 * ERR_NOT_FOUND. */
MUST_CHECK int spawn_find(const char *name, char ret[PATH_MAX], struct error *err);
/* Starts it. A failure to exec is reported here, not as an exit code. */
MUST_CHECK int spawn(const struct spawn_options *options, pid_t *ret_pid, struct error *err);
/* Runs to the end, collecting at most output_bytes_max of stdout+stderr (may be NULL).
 * *ret_status is waitpid's. */
struct buf;
MUST_CHECK int spawn_wait(const struct spawn_options *options, struct buf *output, int *ret_status,
			  struct error *err);
