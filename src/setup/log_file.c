#include "setup/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPEN_FLAGS (O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW)

int log_file_open(const char *path, uint64_t bytes_max, struct log_file *ret, struct error *err)
{
	int fd = open(path, OPEN_FLAGS, 0600);
	struct stat status;
	if (fd < 0 || fstat(fd, &status) < 0) {
		(void)error_set_errno(err, ERR_INVALID, errno, "cannot open the log %s", path);
		cleanup_fd(&fd);
		return -1;
	}
	*ret = (struct log_file){.path = xstrdup(path),
				 .fd = fd,
				 .bytes = (uint64_t)status.st_size,
				 .bytes_max = bytes_max};
	return 0;
}

static void rotate(struct log_file *log)
{
	CLEANUP(cleanup_free) char *older = xasprintf("%s.1", log->path);
	if (rename(log->path, older) < 0)
		return;
	int fd = open(log->path, OPEN_FLAGS, 0600);
	if (fd < 0)
		return;
	cleanup_fd(&log->fd);
	log->fd = fd;
	log->bytes = 0;
}

void log_file_write(struct log_file *log, const void *data, size_t bytes)
{
	if (log->bytes > 0 && log->bytes + bytes > log->bytes_max)
		rotate(log);
	ssize_t written = write(log->fd, data, bytes);
	if (written > 0)
		log->bytes += (uint64_t)written;
}

void log_file_release(struct log_file *log)
{
	if (log->path == NULL)
		return;
	cleanup_fd(&log->fd);
	free(log->path);
	*log = (struct log_file){.fd = -1};
}
