/* Cgroups of our own: one per attempt, made before crun starts and read after it has ended, so that
 * the kernel's counters survive the container. Version 2 under delegation, version 1 (also the
 * hybrid layout), or nothing: then each limit that cannot be held says so. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct cgroups; /* what this machine offers, and the parent of all ours */
struct cgroup;	/* one attempt's */

/* Version 2 forbids processes in a group that has children with controllers: moves this process
 * into a child "worker" of its group, if that is delegated to us. Before any fork; silent if it
 * cannot. */
void cgroup_make_room(void);

/* `name` is the parent's ("rgrid-w1"). What an earlier process of that name left is killed and
 * removed. Never fails: without any controller the rest is a no-op. */
struct cgroups *cgroups_open(const char *name);
void cgroups_free(struct cgroups *groups); /* removes the parent */

enum cgroup_controller { CGROUP_MEMORY = 1, CGROUP_PIDS, CGROUP_CPU, CGROUP_CONTROLLER_MAX };
bool cgroups_have(const struct cgroups *groups, enum cgroup_controller controller);

struct cgroup_limits {
	uint64_t memory_bytes; /* with swap */
	uint64_t pids;
	uint64_t cpu_millis;
};

MUST_CHECK int cgroup_new(struct cgroups *groups, const char *name,
			  const struct cgroup_limits *limits, struct cgroup **ret,
			  struct error *err);
/* For the forked child, before exec: joins with open descriptors and write(2) only. */
MUST_CHECK int cgroup_join(const struct cgroup *group);
void cgroup_kill(const struct cgroup *group);

struct cgroup_usage {
	bool out_of_memory;
	bool out_of_pids;
	uint64_t cpu_us;
	uint64_t memory_peak_bytes;
};
void cgroup_read_usage(const struct cgroup *group, struct cgroup_usage *ret);
/* Kills what is left, removes it. NULL is fine. */
void cgroup_free(struct cgroup *group);
