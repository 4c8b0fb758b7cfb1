/* Which user and group ids jobs run as.
 *
 * A job's user namespace knows two ids: 0, under which crun prepares the root, and JOB_ID, which the
 * script runs as. Each slot maps them to ids of its own, so that two jobs never share one. As root
 * these lie above HOST_IDS_FIRST. As an ordinary user they are subordinate ids (/etc/subuid,
 * /etc/subgid, through newuidmap); without those there is a single id, the worker's, and the
 * script runs as 0 of a namespace in which it has no capability. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

#define JOB_ID 65534U
#define HOST_IDS_FIRST 1000000U
#define HOST_IDS_PER_SLOT 65536U

struct slot_ids {
	unsigned namespace_root; /* ids of the worker's user namespace */
	unsigned job;
	unsigned job_inside; /* what the job sees: JOB_ID, or 0 when single */
	bool single;         /* the worker's own id serves for all */
};

/* Maps the ids of `pid`, a child in a new user namespace: 0 is our own user, 1 and up our
 * subordinate ids if there are any. Called by an ordinary user's outer process. */
MUST_CHECK int id_map_write_own(pid_t pid, struct error *err);

/* The ids of `slot` out of `slots`, from the maps of the calling process. */
MUST_CHECK int id_map_slot(size_t slot, size_t slots, struct slot_ids *ret, struct error *err);
/* As id_map_slot, from the texts of /proc/self/uid_map and gid_map. */
MUST_CHECK int id_map_slot_of(const char *uid_map, const char *gid_map, size_t slot, size_t slots,
			      struct slot_ids *ret, struct error *err);
/* Maps `ids` into `pid`, a child in a new user namespace. */
MUST_CHECK int id_map_write_slot(pid_t pid, const struct slot_ids *ids, struct error *err);
