/* What an instance of the simulator owns on this computer, found by its name: to be removed when
 * the process that made it is no more. */
#pragma once

#include "base/error.h"

#define LEFTOVERS_INSTANCE_BYTES_MAX 8

/* Holds the instance for this process until *ret_lock_fd is closed, also by its death; ERR_CONFLICT
 * while another process holds it. */
MUST_CHECK int leftovers_lock(const char *instance, int *ret_lock_fd, struct error *err);
/* Processes, cgroups, network namespaces, loop devices, and the machines' directories below
 * `directory`, but not its images. Blocks until the processes are dead. Only for the holder of the
 * lock. */
MUST_CHECK int leftovers_remove(const char *instance, const char *directory, struct error *err);
