#include "cli/safe_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/rand.h"

/* The directory that holds the last component of `path`; with `make`, missing ones are made. */
static int open_parent(int root_fd, const char *path, bool make, const char **ret_name, int *ret_fd,
		       struct error *err)
{
	CLEANUP(cleanup_fd) int at = fcntl(root_fd, F_DUPFD_CLOEXEC, 0);
	const char *slash;

	if (at < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot open a directory");
	while ((slash = strchr(path, '/')) != NULL) {
		CLEANUP(cleanup_free) char *component = xstrndup(path, (size_t)(slash - path));
		int next;

		if (make && mkdirat(at, component, 0777) != 0 && errno != EEXIST)
			return error_set_errno(err, ERR_INTERNAL, errno,
					       "cannot make the directory %s", component);
		next = openat(at, component, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0 && (errno == ELOOP || errno == ENOTDIR)) {
			error_set(err, ERR_CONFLICT,
				  "%s is not a directory, or is a symbolic link, which is not "
				  "followed",
				  component);
			return error_hint(err, "choose another place with --output-dir");
		}
		if (next < 0)
			return error_set_errno(err, ERR_INTERNAL, errno,
					       "cannot open the directory %s", component);
		(void)close(at);
		at = next;
		path = slash + 1;
	}
	*ret_name = path;
	*ret_fd = TAKE_FD(at);
	return 0;
}

int safe_file_open(int root_fd, const char *path, bool executable, struct safe_file *ret,
		   struct error *err)
{
	CLEANUP(cleanup_safe_file) struct safe_file file = SAFE_FILE_EMPTY;
	const char *name;

	if (open_parent(root_fd, path, true, &name, &file.directory_fd, err) != 0)
		return -1;
	if (strlen(name) >= sizeof(file.name))
		return error_set(err, ERR_INVALID, "the name %s is too long", name);
	memcpy(file.name, name, strlen(name) + 1);
	(void)snprintf(file.temporary, sizeof(file.temporary), ".rgrid-%016" PRIx64, rand_u64());
	file.fd = openat(file.directory_fd, file.temporary,
			 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			 executable ? 0777 : 0666);
	if (file.fd < 0) {
		error_set_errno(err, ERR_INTERNAL, errno, "cannot write a file here");
		file.temporary[0] = '\0';
		return -1;
	}
	*ret = file;
	file = SAFE_FILE_EMPTY;
	return 0;
}

int safe_file_rewind(struct safe_file *file, struct error *err)
{
	if (ftruncate(file->fd, 0) != 0 || lseek(file->fd, 0, SEEK_SET) != 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot rewrite %s", file->name);
	return 0;
}

int safe_file_commit(struct safe_file *file, struct error *err)
{
	int fd = TAKE_FD(file->fd);

	if (close(fd) != 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot write %s", file->name);
	if (renameat(file->directory_fd, file->temporary, file->directory_fd, file->name) != 0) {
		error_set_errno(err, ERR_CONFLICT, errno, "cannot put %s into place", file->name);
		return errno == EISDIR ? error_hint(err, "a directory of that name is in the way")
				       : -1;
	}
	file->temporary[0] = '\0';
	return 0;
}

void safe_file_release(struct safe_file *file)
{
	if (file->temporary[0])
		(void)unlinkat(file->directory_fd, file->temporary, 0); /* nothing more to do */
	cleanup_fd(&file->fd);
	cleanup_fd(&file->directory_fd);
	*file = SAFE_FILE_EMPTY;
}

void safe_file_remove(int root_fd, const char *path)
{
	CLEANUP(cleanup_fd) int directory_fd = -1;
	const char *name;
	struct error ignored;

	if (open_parent(root_fd, path, false, &name, &directory_fd, &ignored) == 0)
		(void)unlinkat(directory_fd, name, 0);
}
