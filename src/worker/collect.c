#include "worker/collect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "core/limits.h"
#include "worker/timer.h"
#include "worker/walk.h"

#define HASH_STEP_BYTES ((size_t)128 << 10)

struct collect {
	struct collect_options options;
	struct walk *walk;
	bool walked;
	struct found_file *files; /* the walk's, once it is over */
	size_t file_count;
	size_t next;
	uint64_t bytes; /* of outputs handed out */
	size_t refused;
	struct collected_file current;
	int fd; /* of the file being hashed, or -1 */
	uint64_t hashed;
	struct sha256 *digest;
	char *hash_buffer;
	struct task task;
};

static void refuse(void *context, const char *path, const char *why)
{
	struct collect *collect = context;
	char line[2048];

	collect->refused++;
	if (collect->refused > COLLECT_REFUSALS_TOLD)
		return;
	(void)snprintf(line, sizeof(line), "rgrid: output %s is left out: %s", path, why);
	collect->options.say(collect->options.context, line);
}

static void tell_the_rest(struct collect *collect)
{
	char line[128];

	if (collect->refused <= COLLECT_REFUSALS_TOLD)
		return;
	(void)snprintf(line, sizeof(line), "rgrid: %zu more outputs are left out",
		       collect->refused - COLLECT_REFUSALS_TOLD);
	collect->options.say(collect->options.context, line);
}

/* Begins with the next file, if it can be an output; it is skipped, with a word, if not. */
static void open_next(struct collect *collect)
{
	const struct found_file *found = &collect->files[collect->next++];
	struct tree_stamp stamp;
	struct stat status;
	struct error err;

	if (found->stamp.size_bytes > LIMIT_BLOB_BYTES) {
		refuse(collect, found->path, "it is larger than 16 GiB");
		return;
	}
	if (found->stamp.size_bytes > collect->options.bytes_max - collect->bytes) {
		refuse(collect, found->path, "all outputs together exceed the disk limit");
		return;
	}
	if (tree_open_file(collect->options.work_fd, found->path, &collect->fd, &status, &err) <
	    0) {
		refuse(collect, found->path, err.msg);
		return;
	}
	stamp = tree_stamp_of(&status);
	if (!tree_stamp_equal(&stamp, &found->stamp)) {
		refuse(collect, found->path, "it changed while it was collected");
		cleanup_fd(&collect->fd);
		collect->fd = -1;
		return;
	}
	collect->bytes += found->stamp.size_bytes;
	collect->hashed = 0;
	collect->current = (struct collected_file){
		.path = found->path,
		.size_bytes = found->stamp.size_bytes,
		.executable = found->executable,
	};
}

/* Hashes on; *budget shrinks. True when the file is at its end, or cannot be read further. */
static bool hash_some(struct collect *collect, size_t *budget)
{
	if (!collect->digest)
		collect->digest = sha256_new();
	if (!collect->hash_buffer)
		collect->hash_buffer = xcalloc(1, HASH_STEP_BYTES);
	while (*budget >= HASH_STEP_BYTES && collect->hashed < collect->current.size_bytes) {
		ssize_t got = pread(collect->fd, collect->hash_buffer, HASH_STEP_BYTES,
				    (off_t)collect->hashed);

		if (got <= 0)
			return true;
		sha256_update(collect->digest, collect->hash_buffer, (size_t)got);
		collect->hashed += (uint64_t)got;
		*budget -= (size_t)got;
	}
	return collect->hashed == collect->current.size_bytes;
}

static bool hand_out(struct collect *collect)
{
	int fd = TAKE_FD(collect->fd);

	sha256_finish(collect->digest, collect->current.blob);
	if (collect->hashed != collect->current.size_bytes) {
		cleanup_fd(&fd);
		refuse(collect, collect->current.path, "it cannot be read");
		return false;
	}
	collect->options.on_file(collect->options.context, &collect->current, fd);
	return true;
}

static bool on_slice(void *context)
{
	struct collect *collect = context;
	size_t budget = COLLECT_SLICE_BYTES;

	if (!collect->walked) {
		if (walk_some(collect->walk, COLLECT_SLICE_ENTRIES))
			return true;
		collect->walked = true;
		collect->files = walk_files(collect->walk, &collect->file_count);
	}
	for (size_t i = 0; i < COLLECT_SLICE_ENTRIES; i++) {
		if (collect->fd < 0 && collect->next == collect->file_count) {
			tell_the_rest(collect);
			collect->options.on_done(collect->options.context);
			return false;
		}
		if (collect->fd < 0)
			open_next(collect);
		if (collect->fd < 0)
			continue;
		if (!hash_some(collect, &budget))
			return true;
		if (hand_out(collect))
			return false;
	}
	return true;
}

struct collect *collect_new(const struct collect_options *options)
{
	struct collect *collect = xcalloc(1, sizeof(*collect));
	const struct walk_options walk = {
		.work_fd = options->work_fd,
		.staged = options->staged,
		.staged_count = options->staged_count,
		.context = collect,
		.refuse = refuse,
	};

	collect->options = *options;
	collect->fd = -1;
	collect->walk = walk_new(&walk);
	task_init(&collect->task, options->event, PRIORITY_BULK, on_slice, collect);
	task_wake(&collect->task);
	return collect;
}

void collect_free(struct collect *collect)
{
	if (!collect)
		return;
	task_release(&collect->task);
	walk_free(collect->walk);
	cleanup_fd(&collect->fd);
	sha256_free(collect->digest);
	free(collect->hash_buffer);
	free(collect);
}

void collect_next(struct collect *collect)
{
	task_wake(&collect->task);
}
