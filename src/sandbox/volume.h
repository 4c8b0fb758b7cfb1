/* The work directory of a slot: a file system of its own, in a sparse image file, of fixed size, so
 * that a script can fill nothing else. Made once, emptied between jobs. Where file systems cannot
 * be mounted from an image it is a plain directory, and says so: then nothing holds the disk limit.
 *
 * (A tmpfs would do without an image, but its pages count as the script's memory.) */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct volume {
	char *mount_point; /* under a path that every user may traverse */
	bool has_quota;
	uint64_t bytes; /* of the file system */
	int fd;
};

/* `image` is a file to be made anew, `plain` a directory to use instead where that is not possible.
 */
MUST_CHECK int volume_open(const char *mount_point, const char *image, const char *plain,
			   uint64_t bytes, struct volume *ret, struct error *err);
void volume_close(struct volume *volume);

/* Removes everything in it and gives it to the owner. */
MUST_CHECK int volume_empty(struct volume *volume, uid_t uid, gid_t gid, struct error *err);
bool volume_is_full(const struct volume *volume);
