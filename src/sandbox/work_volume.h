/* The file system that holds a slot's work directory: an ext4 of its own in a sparse image file,
 * mounted through a loop device once and emptied between jobs. A job can fill it and nothing else.
 * (A tmpfs would count as the job's memory.) Where that cannot be mounted it is a plain directory,
 * and the disk limit is not held.
 *
 * A job's own limit below the volume's size is held by ballast: a file of reserved blocks beside
 * the work directory. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct work_volume;

struct work_volume_options {
	const char *image;       /* path of the image file, which is ours */
	const char *plain;       /* path of the directory instead, likewise */
	const char *mount_point; /* exists, in our mount namespace */
	uint64_t disk_bytes_max;
	uid_t uid; /* owner of the work directory */
	gid_t gid;
};

/* Whether images can be mounted here: 0, or -1 with the reason. Makes and removes `image`. */
MUST_CHECK int work_volume_probe(const struct work_volume_options *options, struct error *err);

/* with_quota: as probed. */
MUST_CHECK int work_volume_open(const struct work_volume_options *options, bool with_quota,
				struct work_volume **ret, struct error *err);
/* Unmounts, and removes the files. */
void work_volume_free(struct work_volume *volume);

/* Empties the work directory, whatever is in it. */
MUST_CHECK int work_volume_empty(struct work_volume *volume, struct error *err);
int work_volume_fd(const struct work_volume *volume); /* of the work directory; stays ours */
const char *work_volume_path(const struct work_volume *volume);
/* Bytes that the work directory may hold, staged files included. */
MUST_CHECK int work_volume_limit(struct work_volume *volume, uint64_t disk_bytes,
				 struct error *err);
bool work_volume_is_full(const struct work_volume *volume);
