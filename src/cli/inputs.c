#include "cli/inputs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"
#include "cli/work_path.h"
#include "core/limits.h"

#define READ_BYTES     (256ULL * 1024)
#define WALK_DEPTH_MAX 64

void input_file_release(struct input_file *file)
{
	free(file->path);
	free(file->source);
	*file = (struct input_file){0};
}

void input_argument_release(struct input_argument *argument)
{
	free(argument->text);
	free(argument->directory);
	free(argument->note);
	input_file_release(&argument->file);
	*argument = (struct input_argument){0};
}

void inputs_init(struct inputs *inputs, const char *directory)
{
	*inputs = (struct inputs){.directory = xstrdup(directory)};
	buf_init(&inputs->notes, INPUTS_NOTES_BYTES_MAX);
}

void inputs_release(struct inputs *inputs)
{
	free(inputs->directory);
	input_file_release(&inputs->script);
	for (size_t i = 0; i < inputs->file_count; i++)
		input_file_release(&inputs->files[i]);
	for (size_t i = 0; i < inputs->directory_count; i++)
		free(inputs->directories[i]);
	free(inputs->files);
	free(inputs->directories);
	buf_release(&inputs->notes);
	*inputs = (struct inputs){0};
}

static const char *source_of(const struct inputs *inputs, const char *path)
{
	if (inputs->script.path && str_eq(inputs->script.path, path))
		return inputs->script.source;
	for (size_t i = 0; i < inputs->file_count; i++) {
		if (str_eq(inputs->files[i].path, path))
			return inputs->files[i].source;
	}
	return NULL;
}

static bool is_same_file(const char *a, const char *b)
{
	struct stat first, second;

	return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
	       first.st_ino == second.st_ino;
}

/* Takes the file over, unless it is there already. */
static int take_file(struct inputs *inputs, struct input_file *file, struct error *err)
{
	const char *taken = source_of(inputs, file->path);

	if (taken && is_same_file(taken, file->source)) {
		input_file_release(file);
		return 0;
	}
	if (taken)
		return error_set(err, ERR_INVALID, "%s and %s would both be %s in the job", taken,
				 file->source, file->path);
	if (inputs->file_count == LIMIT_FILES_COUNT) {
		error_set(err, ERR_TOO_LARGE, "more than %d files for one job", LIMIT_FILES_COUNT);
		return error_hint(err, "pack them into an archive and unpack it in the script");
	}
	if (inputs->file_count == inputs->file_capacity) {
		inputs->file_capacity = inputs->file_capacity ? inputs->file_capacity * 2 : 16;
		inputs->files = xreallocarray(inputs->files, inputs->file_capacity,
					      sizeof(inputs->files[0]));
	}
	inputs->files[inputs->file_count++] = *file;
	*file = (struct input_file){0};
	return 0;
}

static int take_directory(struct inputs *inputs, const char *path, struct error *err)
{
	if (path[0] == '\0')
		return 0;
	for (size_t i = 0; i < inputs->directory_count; i++) {
		if (str_eq(inputs->directories[i], path))
			return 0;
	}
	if (inputs->directory_count == LIMIT_FILES_COUNT)
		return error_set(err, ERR_TOO_LARGE, "more than %d directories for one job",
				 LIMIT_FILES_COUNT);
	if (fs_path_check_relative(path, err) != 0)
		return -1;
	if (inputs->directory_count == inputs->directory_capacity) {
		inputs->directory_capacity =
			inputs->directory_capacity ? inputs->directory_capacity * 2 : 16;
		inputs->directories = xreallocarray(inputs->directories, inputs->directory_capacity,
						    sizeof(inputs->directories[0]));
	}
	inputs->directories[inputs->directory_count++] = xstrdup(path);
	return 0;
}

static int fill_file(struct input_file *file, const char *path, const char *source,
		     const struct stat *status, struct error *err)
{
	if (fs_path_check_relative(path, err) != 0)
		return error_wrap(err, "%s cannot travel", source);
	if ((uint64_t)status->st_size > LIMIT_BLOB_BYTES)
		return error_set(err, ERR_TOO_LARGE, "%s is larger than %llu GiB", source,
				 LIMIT_BLOB_BYTES / GIB);
	*file = (struct input_file){
		.path = xstrdup(path),
		.source = xstrdup(source),
		.size_bytes = (uint64_t)status->st_size,
		.executable = (status->st_mode & 0111) != 0,
	};
	return 0;
}

/* A free name below _inputs for a file of the outside: NAME, else 2/NAME, 3/NAME … */
static char *outside_name(const struct inputs *inputs, const char *name, const char *source)
{
	char *path = xasprintf("%s/%s", INPUTS_OUTSIDE_DIRECTORY, name);

	for (size_t number = 2;; number++) {
		const char *taken = source_of(inputs, path);

		if (!taken || is_same_file(taken, source))
			return path;
		free(path);
		path = xasprintf("%s/%zu/%s", INPUTS_OUTSIDE_DIRECTORY, number, name);
	}
}

int inputs_set_script(struct inputs *inputs, const char *script, struct error *err)
{
	CLEANUP(cleanup_work_path) struct work_path place = {0};
	struct stat status;

	if (stat(script, &status) != 0) {
		error_set_errno(err, ERR_NOT_FOUND, errno, "cannot read %s", script);
		err->code = ERR_INVALID;
		return -1;
	}
	if (!S_ISREG(status.st_mode)) {
		error_set(err, ERR_INVALID, "%s is not a regular file", script);
		if (S_ISDIR(status.st_mode))
			error_hint(err, "name a script; add directories with --file %s", script);
		return -1;
	}
	work_path_resolve(inputs->directory, script, &place);
	if (place.traversed && take_directory(inputs, place.traversed, err) != 0)
		return -1;
	return fill_file(&inputs->script, place.relative, script, &status, err);
}

static bool is_skipped_directory(const char *name)
{
	static const char *const skipped[] = {".git", ".hg", ".svn", ".rgrid"};

	for (size_t i = 0; i < ARRAY_SIZE(skipped); i++) {
		if (str_eq(name, skipped[i]))
			return true;
	}
	return false;
}

/* NOLINTBEGIN(misc-no-recursion): WALK_DEPTH_MAX bounds it. */
static int walk(struct inputs *inputs, const char *path, const char *source, unsigned depth,
		struct error *err);

static int walk_entry(struct inputs *inputs, const char *path, const char *source, const char *name,
		      unsigned depth, struct error *err)
{
	CLEANUP(cleanup_free) char *inner_source = xasprintf("%s/%s", source, name);
	CLEANUP(cleanup_free)
	char *inner = path[0] ? xasprintf("%s/%s", path, name) : xstrdup(name);
	struct input_file file = {0};
	struct stat status;

	if (lstat(inner_source, &status) != 0)
		return error_set_errno(err, ERR_INVALID, errno, "cannot read %s", inner_source);
	if (S_ISDIR(status.st_mode))
		return is_skipped_directory(name)
			       ? 0
			       : walk(inputs, inner, inner_source, depth + 1, err);
	/* A link to a file travels as the file; links to directories could lead in circles. */
	if (S_ISLNK(status.st_mode) && stat(inner_source, &status) != 0)
		return 0;
	if (!S_ISREG(status.st_mode))
		return 0;
	if (fill_file(&file, inner, inner_source, &status, err) != 0)
		return -1;
	if (take_file(inputs, &file, err) != 0) {
		input_file_release(&file);
		return -1;
	}
	return 0;
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int walk(struct inputs *inputs, const char *path, const char *source, unsigned depth,
		struct error *err)
{
	struct dirent **entries = NULL;
	int result = 0;
	int count;

	if (depth > WALK_DEPTH_MAX)
		return error_set(err, ERR_TOO_LARGE, "%s is nested too deeply", source);
	count = scandir(source, &entries, NULL, compare_names);
	if (count < 0)
		return error_set_errno(err, ERR_INVALID, errno, "cannot read %s", source);
	if (take_directory(inputs, path, err) != 0)
		result = -1;
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;

		if (result == 0 && !str_eq(name, ".") && !str_eq(name, ".."))
			result = walk_entry(inputs, path, source, name, depth, err);
		free(entries[i]);
	}
	free(entries);
	return result;
}

/* NOLINTEND(misc-no-recursion) */

int inputs_add_path(struct inputs *inputs, const char *path, struct error *err)
{
	CLEANUP(cleanup_work_path) struct work_path place = {0};
	struct input_file file = {0};
	struct stat status;

	if (stat(path, &status) != 0)
		return error_set_errno(err, ERR_INVALID, errno, "cannot read %s", path);
	work_path_resolve(inputs->directory, path, &place);
	if (!place.inside)
		buf_appendf(&inputs->notes,
			    "%s is outside of this directory; the job sees it as %s\n", path,
			    place.relative);
	if (S_ISDIR(status.st_mode))
		return walk(inputs, place.relative, path, 0, err);
	if (!S_ISREG(status.st_mode))
		return error_set(err, ERR_INVALID, "%s is neither a file nor a directory", path);
	if (fill_file(&file, place.relative, path, &status, err) != 0)
		return -1;
	if (take_file(inputs, &file, err) != 0) {
		input_file_release(&file);
		return -1;
	}
	return 0;
}

/* The part of an argument that may be a path: all of it, or what follows the first '='. */
static const char *path_in(const char *argument, struct stat *status, bool *ret_exists)
{
	const char *equals = strchr(argument, '=');

	*ret_exists = stat(argument, status) == 0;
	if (*ret_exists || !equals)
		return argument;
	*ret_exists = stat(equals + 1, status) == 0;
	return equals + 1;
}

/* The existing directory above a path that does not exist: a script may want to write there. */
static void look_at_parent(const struct inputs *inputs, const char *path,
			   struct input_argument *ret)
{
	CLEANUP(cleanup_free) char *parent = xstrdup(path);
	CLEANUP(cleanup_work_path) struct work_path place = {0};
	char *slash = strrchr(parent, '/');
	struct stat status;

	if (!slash || slash == parent)
		return;
	*slash = '\0';
	if (stat(parent, &status) != 0 || !S_ISDIR(status.st_mode))
		return;
	work_path_resolve(inputs->directory, parent, &place);
	if (place.inside && !place.respelled && place.relative[0])
		ret->directory = TAKE_PTR(place.relative);
}

static bool directory_has_entries(const char *path)
{
	CLEANUP(cleanup_dir) DIR *directory = opendir(path);
	const struct dirent *entry;

	while (directory && (entry = readdir(directory)) != NULL) {
		if (!str_eq(entry->d_name, ".") && !str_eq(entry->d_name, ".."))
			return true;
	}
	return false;
}

static bool is_sent_already(const struct inputs *inputs, const char *directory)
{
	for (size_t i = 0; i < inputs->directory_count; i++) {
		if (str_eq(inputs->directories[i], directory))
			return true;
	}
	return false;
}

static void look_at_directory(const struct inputs *inputs, const char *path,
			      struct work_path *place, struct input_argument *ret)
{
	if (!place->inside) {
		ret->note = xasprintf("%s is a directory outside of this one; its files are not "
				      "sent",
				      path);
		return;
	}
	if (place->relative[0] == '\0')
		return;
	if (!is_sent_already(inputs, place->relative) && directory_has_entries(path))
		ret->note = xasprintf("%s is an empty directory in the job; send its files with "
				      "--file %s",
				      path, path);
	ret->directory = TAKE_PTR(place->relative);
}

int inputs_look_at(const struct inputs *inputs, const char *argument, struct input_argument *ret,
		   struct error *err)
{
	CLEANUP(cleanup_work_path) struct work_path place = {0};
	CLEANUP(cleanup_input_argument) struct input_argument look = {0};
	CLEANUP(cleanup_free) char *job_path = NULL;
	struct stat status;
	bool exists;
	const char *path = path_in(argument, &status, &exists);
	int prefix_bytes = (int)(path - argument);

	if (!str_is_utf8(argument, strlen(argument)))
		return error_set(err, ERR_INVALID, "argument \"%s\" is not valid UTF-8", argument);
	look.text = xstrdup(argument);
	if (!exists) {
		look_at_parent(inputs, path, &look);
	} else {
		work_path_resolve(inputs->directory, path, &place);
		job_path = place.inside ? xstrdup(place.relative)
					: outside_name(inputs, place.relative, path);
	}
	if (exists && place.respelled &&
	    (S_ISREG(status.st_mode) || (S_ISDIR(status.st_mode) && place.inside))) {
		free(look.text);
		look.text =
			xasprintf("%.*s%s", prefix_bytes, argument, job_path[0] ? job_path : ".");
	}
	if (exists && S_ISREG(status.st_mode)) {
		look.is_file = true;
		look.directory = TAKE_PTR(place.traversed);
		if (fill_file(&look.file, job_path, path, &status, err) != 0)
			return -1;
		if (!place.inside)
			look.note = xasprintf("%s is outside of this directory; the job sees it as "
					      "%s",
					      path, job_path);
	} else if (exists && S_ISDIR(status.st_mode)) {
		look_at_directory(inputs, path, &place, &look);
	}
	*ret = look;
	look = (struct input_argument){0};
	return 0;
}

int inputs_add_argument(struct inputs *inputs, const char *argument, char **ret_text,
			struct error *err)
{
	CLEANUP(cleanup_input_argument) struct input_argument look = {0};

	if (inputs_look_at(inputs, argument, &look, err) != 0)
		return -1;
	if (look.note)
		buf_appendf(&inputs->notes, "%s\n", look.note);
	if (look.directory && take_directory(inputs, look.directory, err) != 0)
		return -1;
	if (look.is_file && take_file(inputs, &look.file, err) != 0)
		return -1;
	*ret_text = TAKE_PTR(look.text);
	return 0;
}

int input_file_hash(struct input_file *file, struct error *err)
{
	CLEANUP(cleanup_sha256) struct sha256 *digest = sha256_new();
	CLEANUP(cleanup_free) char *piece = xcalloc(1, READ_BYTES);
	CLEANUP(cleanup_fd) int fd = open(file->source, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;
	ssize_t bytes;
	uint64_t size_bytes = 0;

	if (fd < 0 || fstat(fd, &status) != 0)
		return error_set_errno(err, ERR_INVALID, errno, "cannot read %s", file->source);
	if (!S_ISREG(status.st_mode))
		return error_set(err, ERR_INVALID, "%s is no longer a regular file", file->source);
	while ((bytes = read(fd, piece, READ_BYTES)) != 0) {
		if (bytes < 0)
			return error_set_errno(err, ERR_INVALID, errno, "cannot read %s",
					       file->source);
		sha256_update(digest, piece, (size_t)bytes);
		size_bytes += (uint64_t)bytes;
	}
	file->size_bytes = size_bytes;
	sha256_finish(digest, file->sha256);
	return 0;
}

int inputs_hash(struct inputs *inputs, struct error *err)
{
	if (input_file_hash(&inputs->script, err) != 0)
		return -1;
	for (size_t i = 0; i < inputs->file_count; i++) {
		if (input_file_hash(&inputs->files[i], err) != 0)
			return -1;
	}
	return 0;
}
