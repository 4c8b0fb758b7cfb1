#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/str.h"

#define READ_CHUNK_BYTES 65536

/* The error code that a file operation's errno means to whoever named the file. */
static enum error_code code_of(int errnum)
{
	switch (errnum) {
	case ENOENT:
	case ENOTDIR:
		return ERR_NOT_FOUND;
	case EACCES:
	case EPERM:
	case EROFS:
		return ERR_FORBIDDEN;
	case EISDIR:
	case ELOOP:
	case ENAMETOOLONG:
	case EINVAL:
		return ERR_INVALID;
	case EEXIST:
	case EBUSY:
	case ENOTEMPTY:
		return ERR_CONFLICT;
	default:
		return ERR_INTERNAL;
	}
}

static int read_to_end(int fd, const char *path, struct buf *out, struct error *err)
{
	for (;;) {
		size_t room = out->bytes_max - out->bytes;
		size_t wanted = room < READ_CHUNK_BYTES ? room : READ_CHUNK_BYTES;
		char probe = 0;
		char *to = wanted > 0 ? buf_reserve(out, wanted) : &probe;

		if (to == NULL)
			return error_set(err, ERR_TOO_LARGE, "%s does not fit", path);
		ssize_t got = read(fd, to, wanted > 0 ? wanted : 1);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_set_errno(err, code_of(errno), errno, "cannot read %s", path);
		if (got == 0)
			return 0;
		if (wanted == 0)
			return error_set(err, ERR_TOO_LARGE, "%s is larger than %zu bytes", path,
					 out->bytes_max);
		buf_commit(out, (size_t)got);
	}
}

int fs_read(int dir_fd, const char *path, struct buf *out, struct error *err)
{
	CLEANUP(cleanup_fd) int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return error_set_errno(err, code_of(errno), errno, "cannot read %s", path);
	return read_to_end(fd, path, out, err);
}

int fs_read_regular(const char *path, struct buf *out, struct error *err)
{
	/* A pipe would hold the open up until somebody writes into it. */
	CLEANUP(cleanup_fd)
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) != 0)
		return error_set_errno(err, code_of(errno), errno, "cannot read %s", path);
	if (!S_ISREG(status.st_mode))
		return error_set(err, ERR_INVALID, "%s is not a regular file", path);
	return read_to_end(fd, path, out, err);
}

/* Makes the rename of a name in that directory durable. */
static int sync_directory_of(const char *path, struct error *err)
{
	const char *name = fs_basename(path);
	CLEANUP(cleanup_free)
	char *directory = name == path ? xstrdup(".") : xstrndup(path, (size_t)(name - path));
	CLEANUP(cleanup_fd) int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) != 0)
		return error_set_errno(err, code_of(errno), errno, "cannot sync %s", directory);
	return 0;
}

static int write_durable(int fd, const char *path, const void *data, size_t bytes, mode_t mode,
			 struct error *err)
{
	if (fchmod(fd, mode) != 0)
		return error_set_errno(err, code_of(errno), errno, "cannot set the mode of %s",
				       path);
	if (fs_write_all(fd, data, bytes, err) != 0)
		return error_wrap(err, "%s", path);
	if (fsync(fd) != 0)
		return error_set_errno(err, code_of(errno), errno, "cannot sync %s", path);
	return 0;
}

/* owner: NULL leaves the file ours. */
static int write_beside(const char *path, const void *data, size_t bytes, mode_t mode,
			const struct stat *owner, struct error *err)
{
	CLEANUP(cleanup_free) char *beside = xasprintf("%s.tmp-XXXXXX", path);
	CLEANUP(cleanup_fd) int fd = mkostemp(beside, O_CLOEXEC);
	int failed = 0;

	if (fd < 0)
		return error_set_errno(err, code_of(errno), errno, "cannot create a file beside %s",
				       path);
	if (owner != NULL && fchown(fd, owner->st_uid, owner->st_gid) != 0)
		failed = error_set_errno(err, code_of(errno), errno, "cannot keep the owner of %s",
					 path);
	if (failed == 0)
		failed = write_durable(fd, path, data, bytes, mode, err);
	if (failed == 0 && rename(beside, path) != 0)
		failed = error_set_errno(err, code_of(errno), errno, "cannot replace %s", path);
	if (failed != 0) {
		(void)unlink(beside); /* the failure to report is the first one */
		return -1;
	}
	return sync_directory_of(path, err);
}

int fs_write_atomic(const char *path, const void *data, size_t bytes, mode_t mode,
		    struct error *err)
{
	return write_beside(path, data, bytes, mode, NULL, err);
}

int fs_replace(const char *path, const void *data, size_t bytes, mode_t mode, struct error *err)
{
	struct stat found;

	if (stat(path, &found) != 0)
		return fs_write_atomic(path, data, bytes, mode, err);
	CLEANUP(cleanup_free) char *real = realpath(path, NULL);
	if (real == NULL)
		return error_set_errno(err, code_of(errno), errno, "cannot find %s", path);
	return write_beside(real, data, bytes, found.st_mode & 07777, &found, err);
}

static int make_directory(const char *path, mode_t mode, struct error *err)
{
	struct stat found;

	if (mkdir(path, mode) == 0)
		return 0;
	int errnum = errno;

	/* Read-only and foreign parents refuse before they notice that it exists. */
	if (stat(path, &found) == 0) {
		if (S_ISDIR(found.st_mode))
			return 0;
		errnum = ENOTDIR;
	}
	return error_set_errno(err, code_of(errnum), errnum, "cannot create directory %s", path);
}

int fs_mkdir_all(const char *path, mode_t mode, struct error *err)
{
	CLEANUP(cleanup_free) char *partial = xstrdup(path);

	if (*path == '\0')
		return error_set(err, ERR_INVALID, "cannot create a directory without a name");
	for (char *slash = strchr(partial + 1, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (make_directory(partial, mode, err) != 0)
			return -1;
		*slash = '/';
	}
	return make_directory(partial, mode, err);
}

int fs_write_all(int fd, const void *data, size_t bytes, struct error *err)
{
	const char *next = data;

	while (bytes > 0) {
		ssize_t written = write(fd, next, bytes);

		if (written >= 0) {
			next += written;
			bytes -= (size_t)written;
		} else if (errno == EAGAIN) {
			struct pollfd room = {.fd = fd, .events = POLLOUT};

			(void)poll(&room, 1, -1); /* write(2) tells what is wrong */
		} else if (errno != EINTR) {
			return error_set_errno(err, code_of(errno), errno, "cannot write");
		}
	}
	return 0;
}

int fs_set_nonblocking(int fd, struct error *err)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
		return error_set_errno(err, ERR_INTERNAL, errno,
				       "cannot make descriptor %d non-blocking", fd);
	return 0;
}

static int check_component(const char *path, const char *component, size_t bytes, struct error *err)
{
	if (bytes == 0)
		return error_set(err, ERR_INVALID, "path \"%s\" has an empty component", path);
	if (bytes > FS_NAME_BYTES_MAX)
		return error_set(err, ERR_INVALID,
				 "path \"%.64s…\" has a component longer than %d bytes", path,
				 FS_NAME_BYTES_MAX);
	if (component[0] == '.' && (bytes == 1 || (bytes == 2 && component[1] == '.')))
		return error_set(err, ERR_INVALID, "path \"%s\" has a \"%.*s\" component", path,
				 (int)bytes, component);
	return 0;
}

int fs_path_check_relative(const char *path, struct error *err)
{
	size_t bytes = strlen(path);

	if (bytes == 0)
		return error_set(err, ERR_INVALID, "the path is empty");
	if (bytes > FS_PATH_BYTES_MAX)
		return error_set(err, ERR_INVALID, "path \"%.64s…\" is longer than %d bytes", path,
				 FS_PATH_BYTES_MAX);
	if (!str_is_utf8(path, bytes))
		return error_set(err, ERR_INVALID, "the path is not valid UTF-8");
	for (const char *c = path; *c != '\0'; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return error_set(err, ERR_INVALID, "path \"%s\" has a control character",
					 path);
	}
	if (path[0] == '/')
		return error_set(err, ERR_INVALID, "path \"%s\" is not relative", path);
	for (const char *component = path;;) {
		size_t length = strcspn(component, "/");

		if (check_component(path, component, length, err) != 0)
			return -1;
		if (component[length] == '\0')
			return 0;
		component += length + 1;
	}
}

const char *fs_basename(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}
