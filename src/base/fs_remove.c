#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"

/* Trees come from scripts and may be deeper than there are descriptors. Below this depth a
 * directory is moved up to the top of the tree, where the next pass finds it. */
#define DEPTH_MAX 32

/* State of one fs_remove_all. */
struct removal {
	const char *path; /* for messages */
	int top_fd;	  /* the directory being removed */
	unsigned moved;	  /* names given to directories that were moved up */
	struct error *err;
};

static int fail(const struct removal *removal, int errnum, const char *name)
{
	enum error_code code = errnum == EACCES || errnum == EPERM ? ERR_FORBIDDEN : ERR_INTERNAL;

	return error_set_errno(removal->err, code, errnum, "cannot remove %s in %s", name,
			       removal->path);
}

/* Gives the owner back the right to empty a directory that a script made unreadable. */
static int open_denied(int parent_fd, const char *name)
{
	char handle[40];
	CLEANUP(cleanup_fd)
	int fd = openat(parent_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -1;
	(void)snprintf(handle, sizeof(handle), "/proc/self/fd/%d", fd);
	if (chmod(handle, 0700) != 0)
		return -1;
	return open(handle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int open_directory(int parent_fd, const char *name)
{
	int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 && errno == EACCES ? open_denied(parent_fd, name) : fd;
}

static int refuse_mount(const struct removal *removal, int fd, const char *name)
{
	struct statx found;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &found) != 0)
		return fail(removal, errno, name);
	if ((found.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0)
		return error_set(removal->err, ERR_CONFLICT,
				 "cannot remove %s in %s: something is mounted there", name,
				 removal->path);
	return 0;
}

static int move_up(struct removal *removal, int parent_fd, const char *name)
{
	char top_name[40];

	do
		(void)snprintf(top_name, sizeof(top_name), ".removing-%u", removal->moved++);
	while (renameat2(parent_fd, name, removal->top_fd, top_name, RENAME_NOREPLACE) != 0 &&
	       errno == EEXIST);
	/* Whether it worked shows when the parent is removed. */
	return 0;
}

/* NOLINTBEGIN(misc-no-recursion): DEPTH_MAX bounds it. */
static int empty_directory(struct removal *removal, int fd, unsigned depth);

static int remove_directory(struct removal *removal, int parent_fd, const char *name,
			    unsigned depth)
{
	if (depth == DEPTH_MAX)
		return move_up(removal, parent_fd, name);
	int fd = open_directory(parent_fd, name);

	if (fd < 0)
		return errno == ENOENT ? 0 : fail(removal, errno, name);
	if (refuse_mount(removal, fd, name) != 0) {
		(void)close(fd);
		return -1;
	}
	if (empty_directory(removal, fd, depth + 1) != 0)
		return -1;
	if (unlinkat(parent_fd, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
		return fail(removal, errno, name);
	return 0;
}

static int remove_entry(struct removal *removal, int parent_fd, const char *name, unsigned depth)
{
	if (unlinkat(parent_fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return fail(removal, errno, name);
	return remove_directory(removal, parent_fd, name, depth);
}

/* Closes fd. */
static int empty_directory(struct removal *removal, int fd, unsigned depth)
{
	CLEANUP(cleanup_dir) DIR *dir = fdopendir(fd);
	const struct dirent *entry;

	if (dir == NULL) {
		(void)close(fd);
		return fail(removal, errno, "a directory");
	}
	while ((errno = 0, entry = readdir(dir)) != NULL) {
		if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
			continue;
		if (remove_entry(removal, dirfd(dir), entry->d_name, depth) != 0)
			return -1;
	}
	return errno == 0 ? 0 : fail(removal, errno, "a directory");
}

/* NOLINTEND(misc-no-recursion) */

/* Passes over the top until nothing is moved up any more. */
static int empty_top(struct removal *removal)
{
	unsigned moved_before;

	do {
		int fd = openat(removal->top_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0)
			return fail(removal, errno, ".");
		moved_before = removal->moved;
		if (empty_directory(removal, fd, 1) != 0)
			return -1;
	} while (removal->moved != moved_before);
	return 0;
}

int fs_remove_all(int dir_fd, const char *path, struct error *err)
{
	if (unlinkat(dir_fd, path, 0) == 0 || errno == ENOENT || errno == ENOTDIR)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return error_set_errno(err, errno == EACCES ? ERR_FORBIDDEN : ERR_INTERNAL, errno,
				       "cannot remove %s", path);
	CLEANUP(cleanup_fd) int top_fd = open_directory(dir_fd, path);
	struct removal removal = {.path = path, .top_fd = top_fd, .err = err};

	if (top_fd < 0)
		return error_set_errno(err, errno == EACCES ? ERR_FORBIDDEN : ERR_INTERNAL, errno,
				       "cannot remove %s", path);
	if (refuse_mount(&removal, top_fd, ".") != 0 || empty_top(&removal) != 0)
		return -1;
	if (unlinkat(dir_fd, path, AT_REMOVEDIR) != 0 && errno != ENOENT)
		return error_set_errno(err, errno == EACCES ? ERR_FORBIDDEN : ERR_INTERNAL, errno,
				       "cannot remove %s", path);
	return 0;
}
