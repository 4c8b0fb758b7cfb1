#include "sandbox/empty_directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/rand.h"
#include "base/str.h"

static bool is_self_or_parent(const char *name)
{
	return str_eq(name, ".") || str_eq(name, "..");
}

static DIR *open_entries(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == EACCES && fchmodat(dir_fd, name, 0700, 0) == 0)
		fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	DIR *entries = fdopendir(fd);
	if (entries == NULL)
		cleanup_fd(&fd);
	return entries;
}

/* Removes the files of a directory and lifts its directories to `top_fd`. */
static int drain(int top_fd, const char *name, struct error *err)
{
	CLEANUP(cleanup_dir) DIR *entries = open_entries(top_fd, name);
	if (entries == NULL)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot open a directory");
	(void)fchmod(dirfd(entries), 0700);
	for (const struct dirent *entry; (entry = readdir(entries)) != NULL;) {
		if (is_self_or_parent(entry->d_name) ||
		    unlinkat(dirfd(entries), entry->d_name, 0) == 0)
			continue;
		if (unlinkat(dirfd(entries), entry->d_name, AT_REMOVEDIR) == 0)
			continue;
		char lifted[32];
		(void)snprintf(lifted, sizeof(lifted), ".lifted-%016" PRIx64, rand_u64());
		if (renameat(dirfd(entries), entry->d_name, top_fd, lifted) < 0)
			return error_set_errno(err, ERR_INTERNAL, errno,
					       "cannot lift a directory");
	}
	return 0;
}

/* One pass over the top. *ret_left: whether directories were lifted or left. */
static int pass(int top_fd, bool *ret_left, struct error *err)
{
	CLEANUP(cleanup_dir) DIR *entries = open_entries(top_fd, ".");
	if (entries == NULL)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot open the directory");
	*ret_left = false;
	for (const struct dirent *entry; (entry = readdir(entries)) != NULL;) {
		if (is_self_or_parent(entry->d_name) || unlinkat(top_fd, entry->d_name, 0) == 0)
			continue;
		*ret_left = true;
		if (unlinkat(top_fd, entry->d_name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			continue;
		if (errno != ENOTEMPTY && errno != EEXIST)
			return error_set_errno(err, ERR_INTERNAL, errno, "cannot remove an entry");
		if (drain(top_fd, entry->d_name, err) < 0)
			return -1;
		if (unlinkat(top_fd, entry->d_name, AT_REMOVEDIR) < 0)
			return error_set_errno(err, ERR_INTERNAL, errno,
					       "cannot remove a directory");
	}
	return 0;
}

int empty_directory(int dir_fd, struct error *err)
{
	(void)fchmod(dir_fd, 0700); /* the script may have locked it */
	bool left = true;
	while (left) {
		if (pass(dir_fd, &left, err) < 0)
			return -1;
	}
	return 0;
}
