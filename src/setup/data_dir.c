#include "setup/data_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"
#include "core/limits.h"

#define MARKER		"rgrid-data"
#define LAYOUT_VERSION	"1\n"
#define FREE_BYTES_MIN	(128 * MIB) /* PostgreSQL stops dead on a full disk */
#define LOCK_TEXT_BYTES 32

char *data_dir_join(const struct data_dir *dir, const char *name)
{
	return xasprintf("%s/%s", dir->path, name);
}

static int other_directory(struct error *err)
{
	return error_hint(err, "choose another directory with --data-dir");
}

static int check_owner(const char *path, struct error *err)
{
	struct stat status;
	if (stat(path, &status) < 0)
		return error_set_errno(err, ERR_INVALID, errno, "cannot look at %s", path);
	if (!S_ISDIR(status.st_mode)) {
		(void)error_set(err, ERR_CONFLICT, "%s is not a directory", path);
		return other_directory(err);
	}
	if (status.st_uid != geteuid()) {
		const struct passwd *owner = getpwuid(status.st_uid);
		(void)error_set(err, ERR_CONFLICT, "%s belongs to user %s", path,
				owner != NULL ? owner->pw_name : "(unknown)");
		return error_hint(err,
				  "run as that user, or choose another directory with --data-dir");
	}
	if (access(path, R_OK | W_OK | X_OK) < 0) {
		(void)error_set_errno(err, ERR_INVALID, errno, "cannot write to %s", path);
		return other_directory(err);
	}
	return 0;
}

static int is_empty(const char *path, bool *ret, struct error *err)
{
	CLEANUP(cleanup_dir) DIR *dir = opendir(path);
	if (dir == NULL)
		return error_set_errno(err, ERR_INVALID, errno, "cannot read %s", path);
	const struct dirent *entry;
	while ((entry = readdir(dir)) != NULL) {
		if (!str_eq(entry->d_name, ".") && !str_eq(entry->d_name, "..") &&
		    !str_eq(entry->d_name, "lost+found")) {
			*ret = false;
			return 0;
		}
	}
	*ret = true;
	return 0;
}

static int check_marker(const char *path, struct error *err)
{
	CLEANUP(cleanup_free) char *marker = xasprintf("%s/%s", path, MARKER);
	CLEANUP(cleanup_buf) struct buf text;
	buf_init(&text, 64);
	if (fs_read(AT_FDCWD, marker, &text, err) == 0) {
		if (str_eq(text.data, LAYOUT_VERSION))
			return 0;
		(void)error_set(err, ERR_CONFLICT,
				"%s was made by another version of RGrid (layout %.8s)", path,
				text.data);
		return error_hint(err,
				  "use that version, or choose another directory with --data-dir");
	}
	if (err->errnum != ENOENT)
		return -1;
	error_clear(err);
	bool empty = false;
	if (is_empty(path, &empty, err) < 0)
		return -1;
	if (!empty) {
		(void)error_set(err, ERR_CONFLICT,
				"%s is not empty and is not a data directory of RGrid", path);
		return other_directory(err);
	}
	return fs_write_atomic(marker, LAYOUT_VERSION, strlen(LAYOUT_VERSION), 0644, err);
}

static int check_space(const char *path, struct error *err)
{
	struct statvfs status;
	if (statvfs(path, &status) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot look at the disk of %s",
				       path);
	uint64_t free_bytes = (uint64_t)status.f_bavail * status.f_frsize;
	if (free_bytes >= FREE_BYTES_MIN)
		return 0;
	char have[32];
	char want[32];
	(void)error_set(err, ERR_NO_SPACE,
			"only %s are free on the disk of %s, at least %s are needed",
			format_bytes(free_bytes, have, sizeof(have)), path,
			format_bytes(FREE_BYTES_MIN, want, sizeof(want)));
	return error_hint(err,
			  "free some space, or choose a directory on another disk with --data-dir");
}

static int take_lock(struct data_dir *dir, struct error *err)
{
	CLEANUP(cleanup_free) char *path = data_dir_join(dir, "lock");
	dir->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (dir->lock_fd < 0)
		return error_set_errno(err, ERR_INVALID, errno, "cannot open %s", path);
	char holder[LOCK_TEXT_BYTES] = "";
	ssize_t bytes = pread(dir->lock_fd, holder, sizeof(holder) - 1, 0);
	if (flock(dir->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return error_set_errno(err, ERR_INTERNAL, errno, "cannot lock %s", path);
		(void)error_set(err, ERR_CONFLICT,
				"another rgrid up uses this data directory: %s (process %s)",
				dir->path, holder[0] != '\0' ? holder : "unknown");
		return error_hint(err, "stop that one, or give another directory with --data-dir");
	}
	dir->was_left_dirty = bytes > 0;
	int written = snprintf(holder, sizeof(holder), "%d", getpid());
	if (ftruncate(dir->lock_fd, 0) < 0 ||
	    pwrite(dir->lock_fd, holder, (size_t)written, 0) != written)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot write to %s", path);
	return 0;
}

/* The path without symbolic links, as it stands in logs and in the marker of running processes. */
static int resolve(struct data_dir *dir, struct error *err)
{
	char *real = realpath(dir->path, NULL);
	if (real == NULL)
		return error_set_errno(err, ERR_INVALID, errno, "cannot resolve %s", dir->path);
	free(dir->path);
	dir->path = real;
	return 0;
}

static int make_subdirectories(const struct data_dir *dir, struct error *err)
{
	static const struct {
		const char *name;
		mode_t mode;
	} subdirectories[] = {{"secrets", 0700}, {"log", 0700}, {"blobs", 0700}, {"workers", 0711}};

	for (size_t i = 0; i < ARRAY_SIZE(subdirectories); i++) {
		CLEANUP(cleanup_free) char *path = data_dir_join(dir, subdirectories[i].name);
		if (fs_mkdir_all(path, subdirectories[i].mode, err) < 0)
			return -1;
	}
	return 0;
}

int data_dir_open(const char *path, struct data_dir *ret, struct error *err)
{
	CLEANUP(cleanup_data_dir) struct data_dir dir = {.path = xstrdup(path), .lock_fd = -1};
	struct stat status;
	if (stat(path, &status) == 0 && check_owner(path, err) < 0)
		return -1;
	/* Others may pass through: PostgreSQL and the scripts' roots belong to other users. */
	if (fs_mkdir_all(path, 0711, err) < 0) {
		(void)error_wrap(err, "cannot make the data directory");
		return other_directory(err);
	}
	if (check_owner(path, err) < 0 || resolve(&dir, err) < 0 ||
	    check_marker(dir.path, err) < 0 || take_lock(&dir, err) < 0 ||
	    check_space(dir.path, err) < 0 || make_subdirectories(&dir, err) < 0)
		return -1;
	*ret = dir;
	dir = (struct data_dir){.lock_fd = -1};
	return 0;
}

void data_dir_close(struct data_dir *dir)
{
	if (dir->lock_fd >= 0) {
		/* A failure only makes the next start more patient than it need be. */
		(void)!ftruncate(dir->lock_fd, 0);
	}
	cleanup_data_dir(dir);
}

void cleanup_data_dir(struct data_dir *dir)
{
	cleanup_fd(&dir->lock_fd);
	dir->lock_fd = -1;
	free(dir->path);
	dir->path = NULL;
}
