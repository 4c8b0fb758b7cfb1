#include "worker/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"
#include "base/fs.h"

static int64_t nanoseconds(const struct timespec *time)
{
	return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

struct tree_stamp tree_stamp_of(const struct stat *status)
{
	return (struct tree_stamp){
		.inode = status->st_ino,
		.size_bytes = (uint64_t)status->st_size,
		.modified_ns = nanoseconds(&status->st_mtim),
		.changed_ns = nanoseconds(&status->st_ctim),
	};
}

bool tree_stamp_equal(const struct tree_stamp *a, const struct tree_stamp *b)
{
	return a->inode == b->inode && a->size_bytes == b->size_bytes &&
	       a->modified_ns == b->modified_ns && a->changed_ns == b->changed_ns;
}

/* openat2 beneath work_fd; -1 with errno. */
static int open_beneath(int work_fd, const char *path, uint64_t flags)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC | O_NOFOLLOW,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};

	return (int)syscall(SYS_openat2, work_fd, path, &how, sizeof(how));
}

/* Steps from *fd into its child, which is made if absent. Closes the old *fd. */
static int enter(int *fd, const char *name, struct tree_owner owner)
{
	int child;

	if (mkdirat(*fd, name, 0755) == 0) {
		if (fchownat(*fd, name, owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW) < 0)
			return -1;
	} else if (errno != EEXIST) {
		return -1;
	}
	child = openat(*fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (child < 0)
		return -1;
	(void)close(*fd);
	*fd = child;
	return 0;
}

/* Enters the first `bytes` of path, component by component; -1 with errno. */
static int enter_all(int work_fd, const char *path, size_t bytes, struct tree_owner owner,
		     int *ret_fd)
{
	CLEANUP(cleanup_fd) int fd = fcntl(work_fd, F_DUPFD_CLOEXEC, 0);
	size_t start = 0;

	if (fd < 0)
		return -1;
	while (start < bytes) {
		char name[FS_NAME_BYTES_MAX + 1];
		size_t end = start;

		while (end < bytes && path[end] != '/')
			end++;
		CHECK(end - start < sizeof(name));
		memcpy(name, path + start, end - start);
		name[end - start] = '\0';
		if (enter(&fd, name, owner) < 0)
			return -1;
		start = end + 1;
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int tree_make_directory(int work_fd, const char *path, struct tree_owner owner, struct error *err)
{
	CLEANUP(cleanup_fd) int fd = -1;

	if (enter_all(work_fd, path, strlen(path), owner, &fd) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot make directory %s", path);
	return 0;
}

int tree_create_file(int work_fd, const char *path, struct tree_owner owner, int *ret_fd,
		     struct error *err)
{
	CLEANUP(cleanup_fd) int parent = -1;
	const char *leaf = fs_basename(path);
	int fd;

	if (enter_all(work_fd, path, (size_t)(leaf - path), owner, &parent) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot make directories of %s",
				       path);
	fd = openat(parent, leaf, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot create %s", path);
	*ret_fd = fd;
	return 0;
}

int tree_open_file(int work_fd, const char *path, int *ret_fd, struct stat *ret_status,
		   struct error *err)
{
	CLEANUP(cleanup_fd) int fd = open_beneath(work_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot open %s", path);
	if (!S_ISREG(status.st_mode))
		return error_set(err, ERR_UNPROCESSABLE, "%s is not a regular file", path);
	*ret_status = status;
	*ret_fd = TAKE_FD(fd);
	return 0;
}
