/* Binding a directory with all that is mounted below it, with flags that hold for the whole tree from
 * its first moment (a remount after a bind leaves a gap, and forgets the submounts). */
#pragma once

#include <stdint.h>

#include "base/error.h"

/* flags: MOUNT_ATTR_RDONLY and friends, added to those that the mounts have. */
MUST_CHECK int mount_tree_bind(const char *source, const char *target, uint64_t flags,
			       struct error *err);
