/* Processes that were left by a killed child and have become ours (PR_SET_CHILD_SUBREAPER): the
 * server processes of a killed postmaster, which still hold its shared memory; the workers of a
 * killed orchestrator. They are of no use without their parent. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

/* From now on orphans become our children. */
MUST_CHECK int orphans_adopt(struct error *err);
/* Sends `signal` (0: none) to every child that is not in `known`, reaps the dead ones. Returns how
 * many are left. */
size_t orphans_reap(const pid_t *known, size_t known_count, int signal);
