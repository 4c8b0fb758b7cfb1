/* Safe steps in a work directory: every name is resolved beneath it, no symbolic link is followed,
 * no mount is crossed. Paths have passed fs_path_check_relative. */
#pragma once

#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/error.h"

/* What tells whether a file is still the one that was put there. */
struct tree_stamp {
	uint64_t inode;
	uint64_t size_bytes;
	int64_t modified_ns;
	int64_t changed_ns;
};

struct tree_stamp tree_stamp_of(const struct stat *status);
bool tree_stamp_equal(const struct tree_stamp *a, const struct tree_stamp *b);

struct tree_owner {
	uid_t uid;
	gid_t gid;
};

/* Makes a directory and those above it, as far as absent, and gives the new ones to the owner. */
MUST_CHECK int tree_make_directory(int work_fd, const char *path, struct tree_owner owner,
				   struct error *err);
/* Creates an empty file, and the directories above it. */
MUST_CHECK int tree_create_file(int work_fd, const char *path, struct tree_owner owner, int *ret_fd,
				struct error *err);
/* Opens a regular file to read; never waits (a fifo there is refused). */
MUST_CHECK int tree_open_file(int work_fd, const char *path, int *ret_fd, struct stat *ret_status,
			      struct error *err);
