/* A machine's own cgroup, in every hierarchy that this computer has (version 2, version 1, or the
 * hybrid of both), beside nobody else's. All processes of a machine are in it from the first one
 * on, and so it is what ends them and what tells that they have ended. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define CGROUP_HIERARCHIES_MAX 16
#define CGROUP_NAME_BYTES      64

struct machine_cgroup {
	char name[CGROUP_NAME_BYTES];
	/* For spawn: NULL-terminated, ours. */
	char *procs[CGROUP_HIERARCHIES_MAX + 1];
};

/* memory_bytes 0 means no limit; where the kernel cannot hold one, there is none. */
MUST_CHECK int machine_cgroup_make(const char *name, uint64_t memory_bytes,
				   struct machine_cgroup *ret, struct error *err);
void machine_cgroup_release(struct machine_cgroup *cgroup); /* only the memory */

/* SIGKILL to all that is in it, also in what it has made beneath. */
void machine_cgroup_kill(const char *name);
/* True once it is gone; false while processes are still dying. Absent is gone. */
bool machine_cgroup_remove(const char *name);
/* Kills and removes every one whose name begins with `prefix`. False if one does not go. */
bool machine_cgroup_remove_all(const char *prefix);
