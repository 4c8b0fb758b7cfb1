/* Files: whole-file reads with a limit, atomic durable writes, directory trees, safe names. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

/* Appends the file's bytes; ERR_TOO_LARGE when over the buf's maximum. dir_fd may be AT_FDCWD. */
MUST_CHECK int fs_read(int dir_fd, const char *path, struct buf *out, struct error *err);
/* As fs_read, of a file that somebody less trusted has named or made: a symlink, a device, a pipe
 * or a directory is ERR_INVALID. */
MUST_CHECK int fs_read_regular(const char *path, struct buf *out, struct error *err);
/* Writes beside, fsyncs, renames over, fsyncs the directory: the old or the new, never half. */
MUST_CHECK int fs_write_atomic(const char *path, const void *data, size_t bytes, mode_t mode,
			       struct error *err);
/* As fs_write_atomic, for files of others that are edited: an existing file keeps its owner and
 * mode, a symlink is followed; a new one gets `mode`. */
MUST_CHECK int fs_replace(const char *path, const void *data, size_t bytes, mode_t mode,
			  struct error *err);
MUST_CHECK int fs_mkdir_all(const char *path, mode_t mode, struct error *err);
/* Removes a tree without following symlinks or crossing mounts. Absent is fine. */
MUST_CHECK int fs_remove_all(int dir_fd, const char *path, struct error *err);
/* write(2) until all is written. */
MUST_CHECK int fs_write_all(int fd, const void *data, size_t bytes, struct error *err);
MUST_CHECK int fs_set_nonblocking(int fd, struct error *err);

#define FS_PATH_BYTES_MAX 1024
#define FS_NAME_BYTES_MAX 255
/* A relative path inside a directory that is the script's or the user's to name: no leading '/',
 * no empty, "." or ".." component, no NUL or control character, valid UTF-8, components within
 * FS_NAME_BYTES_MAX, whole within FS_PATH_BYTES_MAX. The error says which rule is broken. */
MUST_CHECK int fs_path_check_relative(const char *path, struct error *err);
const char *fs_basename(const char *path); /* points into path */
