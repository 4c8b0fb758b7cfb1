/* A file being written below a directory, under a name that somebody else chose: no component is a
 * symbolic link, missing directories are made, and the name appears only with the whole content. */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/fs.h"

#define SAFE_FILE_TEMPORARY_BYTES 32

struct safe_file {
	int directory_fd; /* the last directory of the path */
	int fd;
	char temporary[SAFE_FILE_TEMPORARY_BYTES]; /* "" once renamed */
	char name[FS_NAME_BYTES_MAX + 1];
};
#define SAFE_FILE_EMPTY ((struct safe_file){.directory_fd = -1, .fd = -1})

/* `path` must have passed fs_path_check_relative. */
MUST_CHECK int safe_file_open(int root_fd, const char *path, bool executable, struct safe_file *ret,
			      struct error *err);
/* Empties it, to be written anew. */
MUST_CHECK int safe_file_rewind(struct safe_file *file, struct error *err);
MUST_CHECK int safe_file_commit(struct safe_file *file, struct error *err);
/* What was not committed is removed. */
void safe_file_release(struct safe_file *file);
#define cleanup_safe_file safe_file_release
/* Removes a regular file of that name, if there is one. */
void safe_file_remove(int root_fd, const char *path);
