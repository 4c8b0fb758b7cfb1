#include "worker/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "base/check.h"
#include "base/fs.h"
#include "worker/timer.h"

/* The script is item 0, stdin (if any) item 1 + file_count, files between. */
struct stage {
	struct stage_options options;
	struct staged_file *files;
	size_t file_count;
	size_t directories_made;
	size_t next_item;
	int stdin_fd;
	int source_fd; /* of the blob being copied, or -1 */
	int target_fd;
	off_t copied;
	struct cache_ticket *ticket;
	struct task task;
};

/* One thing to put in place. */
struct item {
	const char *path;    /* NULL: stdin */
	const uint8_t *blob; /* NULL: content */
	const char *content;
	bool executable;
};

static size_t item_count(const struct job_spec *spec)
{
	return 1 + spec->file_count + (spec->has_stdin ? 1 : 0);
}

static struct item item_at(const struct job_spec *spec, size_t index)
{
	if (index == 0)
		return (struct item){
			.path = spec->script_name,
			.blob = spec->script_has_blob ? spec->script_blob : NULL,
			.content = spec->script_content,
			.executable = true,
		};
	if (index <= spec->file_count) {
		const struct job_file *file = &spec->files[index - 1];

		return (struct item){
			.path = file->path,
			.blob = file->blob,
			.executable = file->executable,
		};
	}
	return (struct item){.blob = spec->stdin_blob};
}

static void stage_done(struct stage *stage, enum outcome outcome, const struct error *err)
{
	stage->options.on_done(stage->options.context, outcome, err);
}

static void work_failed(struct stage *stage, struct error *err)
{
	if (err->code != ERR_NO_SPACE) {
		stage_done(stage, OUTCOME_SYSTEM_ERROR, err);
		return;
	}
	(void)error_set(err, ERR_NO_SPACE, "the inputs do not fit into the work directory");
	stage_done(stage, OUTCOME_OUT_OF_DISK, err);
}

static void fetch_failed(struct stage *stage, const struct error *failure)
{
	struct item item = item_at(stage->options.spec, stage->next_item);
	struct error err = *failure;
	bool for_good = failure->code == ERR_NOT_FOUND || failure->code == ERR_FORBIDDEN;

	(void)error_wrap(&err, "input %s", item.path ? item.path : "stdin");
	stage_done(stage, for_good ? OUTCOME_REJECTED : OUTCOME_SYSTEM_ERROR, &err);
}

static void on_fetched(void *context, int fd, const struct error *err)
{
	struct stage *stage = context;

	stage->ticket = NULL;
	if (err) {
		fetch_failed(stage, err);
		return;
	}
	stage->source_fd = fd;
	task_wake(&stage->task);
}

/* stdin's copy has no name, and the job may only read it. */
static int open_stdin(struct stage *stage, struct error *err)
{
	stage->target_fd =
		openat(stage->options.spool_fd, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0444);
	if (stage->target_fd < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot make a file for stdin");
	return 0;
}

static int open_target(struct stage *stage, const struct item *item, struct error *err)
{
	stage->copied = 0;
	if (!item->path)
		return open_stdin(stage, err);
	return tree_create_file(stage->options.work_fd, item->path, stage->options.owner,
				&stage->target_fd, err);
}

/* Gives the finished file to the job and remembers what it looks like. */
static int seal_target(struct stage *stage, const struct item *item, struct error *err)
{
	CLEANUP(cleanup_fd) int fd = TAKE_FD(stage->target_fd);
	struct tree_owner owner = stage->options.owner;
	struct stat status;

	cleanup_fd(&stage->source_fd);
	stage->source_fd = -1;
	if (!item->path) {
		if (lseek(fd, 0, SEEK_SET) < 0)
			return error_set_errno(err, ERR_INTERNAL, errno, "cannot rewind stdin");
		cleanup_fd(&stage->stdin_fd);
		stage->stdin_fd = TAKE_FD(fd);
		return 0;
	}
	if (fchmod(fd, item->executable ? 0755 : 0644) < 0 ||
	    fchown(fd, owner.uid, owner.gid) < 0 || fstat(fd, &status) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot hand over %s", item->path);
	stage->files[stage->file_count++] = (struct staged_file){
		.path = item->path,
		.stamp = tree_stamp_of(&status),
	};
	return 0;
}

/* Copies on. 1: the blob is whole; 0: the budget is used up. */
static int copy_some(struct stage *stage, size_t *budget, struct error *err)
{
	while (*budget > 0) {
		ssize_t sent =
			sendfile(stage->target_fd, stage->source_fd, &stage->copied, *budget);

		if (sent < 0)
			return error_set_errno(err, ERR_INTERNAL, errno, "cannot copy an input");
		if (sent == 0)
			return 1;
		*budget -= (size_t)sent;
	}
	return 0;
}

/* Works at the current item. 1: it is in place; 0: the budget is used up, or its blob is on its
 * way; -1: failed. */
static int put_item(struct stage *stage, size_t *budget, struct error *err)
{
	struct item item = item_at(stage->options.spec, stage->next_item);

	if (item.blob && stage->source_fd < 0) {
		stage->source_fd = cache_find(stage->options.cache, item.blob);
		if (stage->source_fd < 0) {
			stage->ticket =
				cache_get(stage->options.cache, item.blob, on_fetched, stage);
			return 0;
		}
	}
	if (stage->target_fd < 0 && open_target(stage, &item, err) < 0)
		return -1;
	if (!item.blob) {
		if (fs_write_all(stage->target_fd, item.content, strlen(item.content), err) < 0)
			return -1;
	} else {
		int whole = copy_some(stage, budget, err);

		if (whole != 1)
			return whole;
	}
	return seal_target(stage, &item, err) < 0 ? -1 : 1;
}

static int make_directories(struct stage *stage, struct error *err)
{
	const struct job_spec *spec = stage->options.spec;

	for (size_t i = 0; i < STAGE_SLICE_ITEMS; i++) {
		if (stage->directories_made == spec->directory_count)
			return 1;
		if (tree_make_directory(stage->options.work_fd,
					spec->directories[stage->directories_made],
					stage->options.owner, err) < 0)
			return -1;
		stage->directories_made++;
	}
	return 0;
}

static int compare_files(const void *a, const void *b)
{
	const struct staged_file *left = a;
	const struct staged_file *right = b;

	return strcmp(left->path, right->path);
}

static bool on_slice(void *context)
{
	struct stage *stage = context;
	size_t budget = STAGE_SLICE_BYTES;
	struct error err;
	int step = make_directories(stage, &err);

	for (size_t i = 0; step == 1 && i < STAGE_SLICE_ITEMS; i++) {
		if (stage->next_item == item_count(stage->options.spec)) {
			qsort(stage->files, stage->file_count, sizeof(*stage->files),
			      compare_files);
			stage_done(stage, OUTCOME_NONE, NULL);
			return false;
		}
		step = put_item(stage, &budget, &err);
		if (step == 1)
			stage->next_item++;
	}
	if (step < 0) {
		work_failed(stage, &err);
		return false;
	}
	return stage->ticket == NULL;
}

struct stage *stage_new(const struct stage_options *options)
{
	struct stage *stage = xcalloc(1, sizeof(*stage));

	stage->options = *options;
	stage->files = xcalloc(1 + options->spec->file_count, sizeof(*stage->files));
	stage->source_fd = -1;
	stage->target_fd = -1;
	stage->stdin_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	CHECK(stage->stdin_fd >= 0);
	task_init(&stage->task, options->event, PRIORITY_BULK, on_slice, stage);
	task_wake(&stage->task);
	return stage;
}

void stage_free(struct stage *stage)
{
	if (!stage)
		return;
	cache_cancel(stage->ticket);
	task_release(&stage->task);
	cleanup_fd(&stage->source_fd);
	cleanup_fd(&stage->target_fd);
	cleanup_fd(&stage->stdin_fd);
	free(stage->files);
	free(stage);
}

int stage_stdin_fd(const struct stage *stage)
{
	return stage->stdin_fd;
}

const struct staged_file *stage_files(const struct stage *stage, size_t *ret_count)
{
	*ret_count = stage->file_count;
	return stage->files;
}

const struct staged_file *staged_file_find(const struct staged_file *files, size_t count,
					   const char *path)
{
	const struct staged_file wanted = {.path = path};

	if (count == 0)
		return NULL;
	return bsearch(&wanted, files, count, sizeof(*files), compare_files);
}
