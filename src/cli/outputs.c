#include "cli/outputs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/str.h"
#include "cli/safe_file.h"
#include "core/limits.h"

#define PATH_BYTES_MAX (FS_PATH_BYTES_MAX * 4ULL)
#define TAIL_BYTES     4096

void outputs_init(struct outputs *outputs, struct api_client *api, const char *directory)
{
	*outputs =
		(struct outputs){.api = api, .directory = xstrdup(directory), .directory_fd = -1};
}

void outputs_release(struct outputs *outputs)
{
	free(outputs->directory);
	outputs->directory = NULL;
	cleanup_fd(&outputs->directory_fd);
	outputs->directory_fd = -1;
	path_list_release(&outputs->written);
}

static int open_directory(struct outputs *outputs, struct error *err)
{
	if (outputs->directory_fd >= 0)
		return 0;
	if (fs_mkdir_all(outputs->directory, 0777, err) != 0)
		return -1;
	outputs->directory_fd = open(outputs->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (outputs->directory_fd < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot open %s",
				       outputs->directory);
	return 0;
}

int outputs_list(struct api_client *api, const char *job_id, json_t **ret, struct error *err)
{
	CLEANUP(cleanup_free) char *path = api_path("jobs", job_id, "/artifacts");
	CLEANUP(cleanup_json) json_t *answer = NULL;
	json_t *items;

	if (api_get(api, path, &answer, err) != 0)
		return -1;
	items = json_object_get(answer, "items");
	if (!json_is_array(items) || json_array_size(items) > LIMIT_ARTIFACTS_COUNT)
		return error_set(err, ERR_UNAVAILABLE, "the server's list of outputs is garbled");
	*ret = json_incref(items);
	return 0;
}

/* One transfer into a file. */
struct sink {
	struct safe_file *file;
	struct sha256 *digest;
	uint64_t bytes;
	struct error *err;
	bool failed; /* err is filled */
};

static bool sink_begin(void *context, struct error *err)
{
	struct sink *sink = context;
	uint8_t unused[SHA256_BYTES];

	sha256_finish(sink->digest, unused);
	sink->bytes = 0;
	return safe_file_rewind(sink->file, err) == 0;
}

static bool sink_data(void *context, const char *data, size_t bytes)
{
	struct sink *sink = context;

	sha256_update(sink->digest, data, bytes);
	sink->bytes += bytes;
	sink->failed = fs_write_all(sink->file->fd, data, bytes, sink->err) != 0;
	return !sink->failed;
}

/* GETs `request_path` into the file `path`; verifies the digest if one is known. */
static int fetch_file(struct outputs *outputs, const char *request_path, const char *path,
		      bool executable, const char *sha256_hex, struct error *err)
{
	CLEANUP(cleanup_safe_file) struct safe_file file = SAFE_FILE_EMPTY;
	CLEANUP(cleanup_sha256) struct sha256 *digest = sha256_new();
	CLEANUP(cleanup_http_response) struct http_response response = {0};
	struct error write_error = {0};
	struct sink sink = {.file = &file, .digest = digest, .err = &write_error};
	const struct api_request request = {
		.method = "GET",
		.path = request_path,
		.accept = "*/*",
		.no_timeout = true,
		.on_begin = sink_begin,
		.on_data = sink_data,
		.context = &sink,
	};
	uint8_t actual[SHA256_BYTES];
	char actual_hex[SHA256_HEX_BYTES];

	if (open_directory(outputs, err) != 0 ||
	    safe_file_open(outputs->directory_fd, path, executable, &file, err) != 0)
		return error_wrap(err, "%s", path);
	if (api_perform(outputs->api, &request, &response, err) != 0)
		return error_wrap(err, "%s", path);
	if (sink.failed) {
		*err = write_error;
		return error_wrap(err, "%s", path);
	}
	sha256_finish(digest, actual);
	sha256_to_hex(actual, actual_hex);
	if (sha256_hex && !str_eq(sha256_hex, actual_hex))
		return error_set(err, ERR_UNAVAILABLE,
				 "%s arrived damaged: its SHA-256 is not the announced one", path);
	if (safe_file_commit(&file, err) != 0)
		return -1;
	outputs->file_count++;
	outputs->total_bytes += sink.bytes;
	return 0;
}

static int fetch_artifact(struct outputs *outputs, const char *job_id, const json_t *artifact,
			  const char *target, struct error *err)
{
	const char *path = api_text(artifact, "path");
	const char *hex = api_text(artifact, "sha256");
	bool executable = json_is_true(json_object_get(artifact, "executable"));
	CLEANUP(cleanup_buf) struct buf request_path = {0};
	CLEANUP(cleanup_free) char *base = api_path("jobs", job_id, "/artifacts/");
	uint8_t ignored[SHA256_BYTES];

	buf_init(&request_path, PATH_BYTES_MAX);
	if (!hex || !sha256_from_hex(hex, ignored))
		return error_set(err, ERR_UNAVAILABLE, "%s has no SHA-256", path);
	if (fs_path_check_relative(target, err) != 0)
		return error_wrap(err, "an output cannot be stored");
	buf_append_str(&request_path, base);
	url_encode(&request_path, path, true);
	return fetch_file(outputs, request_path.data, target, executable, hex, err);
}

/* A path of the server's, checked before anything is made of it. */
static int artifact_path(const json_t *artifact, const char **ret, struct error *err)
{
	const char *path = api_text(artifact, "path");

	if (!path)
		return error_set(err, ERR_UNAVAILABLE, "the server's list of outputs is garbled");
	if (fs_path_check_relative(path, err) != 0)
		return error_wrap(err, "refusing an output");
	*ret = path;
	return 0;
}

int outputs_fetch(struct outputs *outputs, const char *job_id, const char *prefix, const char *only,
		  struct error *err)
{
	CLEANUP(cleanup_json) json_t *items = NULL;
	const json_t *artifact;
	bool found = false;
	size_t index;

	if (outputs_list(outputs->api, job_id, &items, err) != 0)
		return -1;
	json_array_foreach (items, index, artifact) {
		CLEANUP(cleanup_free) char *target = NULL;
		const char *path;

		if (artifact_path(artifact, &path, err) != 0)
			return -1;
		if (only && !str_eq(only, path))
			continue;
		found = true;
		target = prefix[0] ? xasprintf("%s/%s", prefix, path) : xstrdup(path);
		if (fetch_artifact(outputs, job_id, artifact, target, err) != 0)
			return -1;
	}
	if (only && !found) {
		error_set(err, ERR_NOT_FOUND, "%s has no output named %s", job_id, only);
		return error_hint(err, "see: rgrid download --list %s", job_id);
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	const char *const *first = a;
	const char *const *second = b;

	return strcmp(*first, *second);
}

static bool is_written(const struct outputs *outputs, const char *name)
{
	return outputs->written.count > 0 &&
	       bsearch(&name, outputs->written.items, outputs->written.count,
		       sizeof(outputs->written.items[0]), compare) != NULL;
}

static void note_written(struct outputs *outputs, const char *name)
{
	char **items;
	size_t at;

	path_list_add(&outputs->written, name);
	/* Keep the order: the new one is last, move it down. */
	items = outputs->written.items;
	for (at = outputs->written.count - 1; at > 0 && strcmp(items[at - 1], items[at]) > 0;
	     at--) {
		char *swap = items[at];

		items[at] = items[at - 1];
		items[at - 1] = swap;
	}
}

static char *flat_name(const struct outputs *outputs, const char *path, const char *name)
{
	const char *base = fs_basename(path);
	char *target;

	if (!is_written(outputs, base))
		return xstrdup(base);
	target = xasprintf("%s-%s", name, base);
	for (char *at = target; *at; at++)
		if (*at == '/')
			*at = '_';
	for (unsigned number = 2; is_written(outputs, target); number++) {
		char *next = xasprintf("%u-%s", number, target);

		free(target);
		target = next;
	}
	return target;
}

int outputs_fetch_flat(struct outputs *outputs, const char *job_id, const char *name,
		       struct error *err)
{
	CLEANUP(cleanup_json) json_t *items = NULL;
	const json_t *artifact;
	size_t index;

	if (outputs_list(outputs->api, job_id, &items, err) != 0)
		return -1;
	json_array_foreach (items, index, artifact) {
		CLEANUP(cleanup_free) char *target = NULL;
		const char *path;

		if (artifact_path(artifact, &path, err) != 0)
			return -1;
		target = flat_name(outputs, path, name);
		if (fetch_artifact(outputs, job_id, artifact, target, err) != 0)
			return -1;
		note_written(outputs, target);
	}
	return 0;
}

static int fetch_log(struct outputs *outputs, const json_t *job, const char *name,
		     const char *stream, const char *suffix, struct error *err)
{
	const char *job_id = api_text(job, "id");
	int64_t bytes = api_number(json_object_get(job, "log_bytes"), stream);
	CLEANUP(cleanup_free) char *target = xasprintf("%s%s", name, suffix);
	CLEANUP(cleanup_free) char *query = xasprintf("/logs?stream=%s", stream);
	CLEANUP(cleanup_free) char *path = api_path("jobs", job_id, query);
	uint64_t file_count = outputs->file_count;
	uint64_t total_bytes = outputs->total_bytes;

	if (fs_path_check_relative(target, err) != 0)
		return error_wrap(err, "a log cannot be stored");
	if (bytes == 0) {
		/* What an earlier run left there would be taken for this one's. */
		if (open_directory(outputs, err) != 0)
			return -1;
		safe_file_remove(outputs->directory_fd, target);
		return 0;
	}
	if (fetch_file(outputs, path, target, false, NULL, err) != 0)
		return -1;
	outputs->file_count = file_count; /* logs are not counted as outputs */
	outputs->total_bytes = total_bytes;
	return 0;
}

int outputs_fetch_logs(struct outputs *outputs, const json_t *job, const char *name,
		       struct error *err)
{
	if (fetch_log(outputs, job, name, "stdout", OUTPUTS_STDOUT_SUFFIX, err) != 0)
		return -1;
	return fetch_log(outputs, job, name, "stderr", OUTPUTS_STDERR_SUFFIX, err);
}

void outputs_last_error_line(const struct outputs *outputs, const char *name, struct buf *out)
{
	CLEANUP(cleanup_free) char *path = xasprintf("%s%s", name, OUTPUTS_STDERR_SUFFIX);
	CLEANUP(cleanup_fd)
	int fd = outputs->directory_fd < 0
			 ? -1
			 : openat(outputs->directory_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char tail[TAIL_BYTES + 1];
	struct stat status;
	ssize_t bytes;
	char *line;

	if (fd < 0 || fstat(fd, &status) != 0)
		return;
	bytes = pread(fd, tail, TAIL_BYTES,
		      status.st_size > TAIL_BYTES ? status.st_size - TAIL_BYTES : 0);
	while (bytes > 0 && strchr("\r\n\t ", tail[bytes - 1]))
		bytes--;
	if (bytes <= 0)
		return;
	tail[bytes] = '\0';
	line = strrchr(tail, '\n');
	buf_append_str(out, line ? line + 1 : tail);
}
