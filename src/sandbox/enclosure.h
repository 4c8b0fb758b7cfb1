/* What the enclosure (sandbox_enclose) leaves behind for the rest of the room: a tmpfs of our own in
 * our private mount namespace. It holds crun's state, the jobs' root and the mount points of the
 * work volumes, and is gone with the last process inside. It covers /dev/shm because that exists
 * everywhere, every user may search the directories above it (a job's user namespace must), and
 * nothing of ours uses POSIX shared memory. */
#pragma once

#include "base/error.h"

#define ENCLOSURE_DIRECTORY "/dev/shm"
/* Exists only inside of the enclosure. */
#define ENCLOSURE_MARK ENCLOSURE_DIRECTORY "/.rgrid-enclosure"

MUST_CHECK int enclosure_check(struct error *err);
