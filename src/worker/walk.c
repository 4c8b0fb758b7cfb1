#include "worker/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/fs.h"
#include "core/limits.h"
#include "worker/collect.h"

/* An input may be found beside the outputs; one more of both is never kept. */
#define FOUND_MAX (LIMIT_ARTIFACTS_COUNT + LIMIT_FILES_COUNT + 1)

struct frame {
	DIR *directory;
	size_t path_bytes; /* of the directory's own path within walk->path */
};

struct walk {
	struct walk_options options;
	struct frame frames[LIMIT_ARTIFACTS_DEPTH];
	size_t depth; /* open frames */
	dev_t device;
	char path[FS_PATH_BYTES_MAX + FS_NAME_BYTES_MAX + 2];
	size_t entries_seen;
	size_t output_count;
	struct found_file *files;
	size_t file_count;
	size_t file_capacity;
};

/* The path in a form fit for a log line. */
static void refuse(struct walk *walk, const char *why)
{
	char printable[sizeof(walk->path)];
	size_t i;

	for (i = 0; walk->path[i] != '\0'; i++) {
		unsigned char c = (unsigned char)walk->path[i];

		printable[i] = '?';
		if (c >= 0x20 && c < 0x7f)
			printable[i] = walk->path[i];
	}
	printable[i] = '\0';
	walk->options.refuse(walk->options.context, printable, why);
}

/* Opens a directory of this file system; NULL with the reason. */
static DIR *open_directory(const struct walk *walk, int parent_fd, const char *name,
			   dev_t *ret_device, const char **ret_why)
{
	int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	struct stat status;

	if (!directory || fstat(fd, &status) < 0) {
		*ret_why = strerror(errno);
	} else if (walk->depth > 0 && status.st_dev != walk->device) {
		*ret_why = "it is another file system";
	} else {
		*ret_device = status.st_dev;
		return directory;
	}
	if (directory)
		(void)closedir(directory);
	else
		cleanup_fd(&fd);
	return NULL;
}

static void push_directory(struct walk *walk, int parent_fd, const char *name, size_t path_bytes)
{
	const char *why;
	DIR *directory;

	if (walk->depth == LIMIT_ARTIFACTS_DEPTH) {
		refuse(walk, "it lies too deep");
		return;
	}
	directory = open_directory(walk, parent_fd, name, &walk->device, &why);
	if (!directory) {
		refuse(walk, why);
		return;
	}
	walk->frames[walk->depth++] = (struct frame){
		.directory = directory,
		.path_bytes = path_bytes,
	};
}

struct walk *walk_new(const struct walk_options *options)
{
	struct walk *walk = xcalloc(1, sizeof(*walk));

	walk->options = *options;
	push_directory(walk, options->work_fd, ".", 0);
	return walk;
}

void walk_free(struct walk *walk)
{
	if (!walk)
		return;
	while (walk->depth > 0)
		(void)closedir(walk->frames[--walk->depth].directory);
	for (size_t i = 0; i < walk->file_count; i++)
		free(walk->files[i].path);
	free(walk->files);
	free(walk);
}

static void keep(struct walk *walk, const struct found_file *file)
{
	CHECK(walk->file_count < FOUND_MAX);
	if (walk->file_count == walk->file_capacity) {
		walk->file_capacity = walk->file_capacity ? walk->file_capacity * 2 : 16;
		walk->files = xreallocarray(walk->files, walk->file_capacity, sizeof(*file));
	}
	walk->files[walk->file_count] = *file;
	walk->files[walk->file_count++].path = xstrdup(walk->path);
}

static void look_at_file(struct walk *walk, const struct stat *status)
{
	const struct staged_file *staged =
		staged_file_find(walk->options.staged, walk->options.staged_count, walk->path);
	struct found_file file = {
		.stamp = tree_stamp_of(status),
		.link_count = status->st_nlink,
		.executable = (status->st_mode & S_IXUSR) != 0,
	};

	file.is_input = staged && tree_stamp_equal(&staged->stamp, &file.stamp);
	if (file.is_input) {
		if (file.link_count > 1)
			keep(walk, &file);
		return;
	}
	walk->output_count++;
	if (walk->output_count == LIMIT_ARTIFACTS_COUNT + 1)
		refuse(walk, "an attempt may have 10000 output files; so are all further ones");
	if (walk->output_count <= LIMIT_ARTIFACTS_COUNT)
		keep(walk, &file);
}

/* Why an entry of that kind cannot be an output; NULL for files and directories. */
static const char *kind_refused(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
		return NULL;
	case S_IFLNK:
		return "it is a symbolic link";
	case S_IFIFO:
		return "it is a named pipe";
	case S_IFSOCK:
		return "it is a socket";
	default:
		return "it is a device";
	}
}

static void look_at(struct walk *walk, struct frame *frame, const char *name)
{
	size_t at = frame->path_bytes;
	struct error err;
	struct stat status;
	const char *why;

	if (at > 0)
		walk->path[at++] = '/';
	CHECK(at + strlen(name) < sizeof(walk->path));
	memcpy(walk->path + at, name, strlen(name) + 1);
	if (fs_path_check_relative(walk->path, &err) < 0) {
		refuse(walk, err.msg);
		return;
	}
	if (fstatat(dirfd(frame->directory), name, &status, AT_SYMLINK_NOFOLLOW) < 0) {
		refuse(walk, strerror(errno));
		return;
	}
	why = kind_refused(status.st_mode);
	if (why)
		refuse(walk, why);
	else if (S_ISDIR(status.st_mode))
		push_directory(walk, dirfd(frame->directory), name, at + strlen(name));
	else
		look_at_file(walk, &status);
}

static int compare_paths(const void *a, const void *b)
{
	const struct found_file *left = a;
	const struct found_file *right = b;

	return strcmp(left->path, right->path);
}

static int compare_inodes(const void *a, const void *b)
{
	const struct found_file *left = a;
	const struct found_file *right = b;

	if (left->stamp.inode != right->stamp.inode)
		return left->stamp.inode < right->stamp.inode ? -1 : 1;
	return strcmp(left->path, right->path);
}

/* Refuses files with more names than were found, and forgets inputs. */
static void check_links(struct walk *walk)
{
	struct found_file *files = walk->files;
	size_t kept = 0;
	size_t end;

	if (walk->file_count == 0)
		return;
	qsort(files, walk->file_count, sizeof(*files), compare_inodes);
	for (size_t start = 0; start < walk->file_count; start = end) {
		for (end = start + 1; end < walk->file_count; end++) {
			if (files[end].stamp.inode != files[start].stamp.inode)
				break;
		}
		for (size_t i = start; i < end; i++) {
			bool elsewhere = files[i].link_count > end - start;

			if (elsewhere && !files[i].is_input) {
				(void)snprintf(walk->path, sizeof(walk->path), "%s", files[i].path);
				refuse(walk, "it is a hard link to a file elsewhere");
			}
			if (elsewhere || files[i].is_input)
				free(files[i].path);
			else
				files[kept++] = files[i];
		}
	}
	walk->file_count = kept;
	qsort(files, kept, sizeof(*files), compare_paths);
}

static void leave_directory(struct walk *walk)
{
	walk->depth--;
	(void)closedir(walk->frames[walk->depth].directory);
	walk->frames[walk->depth].directory = NULL;
}

bool walk_some(struct walk *walk, size_t entries_max)
{
	for (size_t i = 0; i < entries_max && walk->depth > 0; i++) {
		struct frame *frame = &walk->frames[walk->depth - 1];
		struct dirent *item = readdir(frame->directory);

		if (!item) {
			leave_directory(walk);
			continue;
		}
		if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0)
			continue;
		if (++walk->entries_seen > COLLECT_ENTRIES_MAX) {
			(void)snprintf(walk->path, sizeof(walk->path), "%s", item->d_name);
			refuse(walk, "the directory holds too many entries; so is the rest");
			while (walk->depth > 0)
				leave_directory(walk);
			break;
		}
		look_at(walk, frame, item->d_name);
	}
	if (walk->depth > 0)
		return true;
	check_links(walk);
	return false;
}

struct found_file *walk_files(struct walk *walk, size_t *ret_count)
{
	*ret_count = walk->file_count;
	return walk->files;
}
