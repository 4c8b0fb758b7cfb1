/* The control groups of the jobs: one per slot and job, made before the job and removed after it, so
 * that its accounts start at zero and outlive crun, which manages none.
 *
 * Three layouts behind one interface: cgroup2, below the worker's own group where that is delegated
 * (systemd's Delegate=yes) or below the root for root; the version 1 hierarchies memory, pids, cpu and
 * cpuacct, below their roots; and nothing, where neither may be written. What cannot be held is
 * told by cgroups_missing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "core/job_spec.h"

#define CGROUP_MOUNT "/sys/fs/cgroup"

enum cgroup_limit { CGROUP_MEMORY = 0, CGROUP_PIDS, CGROUP_CPU, CGROUP_LIMIT_COUNT };

/* Before the worker's processes multiply: moves this one into a leaf of its own group, if it is
 * alone in there, so that controllers may be switched on beside it. Best effort. */
void cgroup_enter_leaf(const char *mount);

struct cgroups;

/* `mount` is CGROUP_MOUNT but for tests; `name` becomes part of directory names. Succeeds where
 * nothing can be held. */
struct cgroups *cgroups_new(const char *mount, const char *name);
void cgroups_free(struct cgroups *cgroups); /* removes our directories */
/* Kills and removes what an earlier worker of that name left. */
MUST_CHECK int cgroups_reap(struct cgroups *cgroups, struct error *err);
/* NULL: held; else why not. */
const char *cgroups_missing(const struct cgroups *cgroups, enum cgroup_limit limit);

#define CGROUP_HIERARCHIES_MAX 4

/* One job's group. Zeroed by cgroup_release; safe to release when never made. */
struct cgroup {
	struct cgroups *owner;
	size_t slot;
	int join_fds[CGROUP_HIERARCHIES_MAX]; /* cgroup.procs of each */
	size_t join_count;
};

struct cgroup_usage {
	bool out_of_memory;
	bool out_of_pids;
	uint64_t cpu_us;
	uint64_t memory_peak_bytes;
};

/* pids_extra: our own processes inside (crun), which the job's limit does not count. */
MUST_CHECK int cgroup_make(struct cgroup *cgroup, struct cgroups *cgroups, size_t slot,
			   const struct job_limits *limits, uint64_t pids_extra,
			   struct error *err);
/* Moves the calling process in. Async-signal-safe; 0 or -1 with errno. */
int cgroup_join(const struct cgroup *cgroup);
void cgroup_read_usage(const struct cgroup *cgroup, struct cgroup_usage *ret);
/* Kills who is left inside, and removes it. */
void cgroup_release(struct cgroup *cgroup);
