#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "cli/batch_items.h"
#include "cli/batch_watch.h"
#include "cli/interrupt.h"
#include "cli/run.h"
#include "cli/spending.h"
#include "cli/uploads.h"
#include "cli/watch.h"
#include "core/limits.h"
#include "core/runtime.h"

#define CHUNK_BYTES_MAX \
	(24 * MIB) /* leaves room in LIMIT_BODY_BYTES for one more job and the frame */
#define NOTE_EVERY_MS 200
_Static_assert(CHUNK_BYTES_MAX + 2 * LIMIT_SPEC_BYTES < LIMIT_BODY_BYTES,
	       "a chunk of jobs fits into one request");

/* A batch being put together. */
struct batch_build {
	struct session *session;
	const struct run_call *call;
	struct inputs shared; /* what travels with every job */
	char **arguments;     /* shared ones rewritten, those with {} as they were */
	struct batch_items items;
	json_t *base;		  /* a job without name and args */
	char **jobs;		  /* JSON text of each */
	struct input_file *files; /* of the items, kept for their uploads */
	size_t file_count, file_capacity;
	bool noted_outside;
};

static void batch_build_release(struct batch_build *build)
{
	for (size_t i = 0; build->jobs && i < build->items.texts.count; i++)
		free(build->jobs[i]);
	free(build->jobs);
	for (size_t i = 0; i < build->file_count; i++)
		input_file_release(&build->files[i]);
	free(build->files);
	batch_item_arguments_free(build->arguments);
	batch_items_release(&build->items);
	json_decref(build->base);
	inputs_release(&build->shared);
}

static int prepare_shared(struct batch_build *build, struct error *err)
{
	const struct run_call *call = build->call;
	const struct runtime *runtime;
	bool inlined;

	if (run_prepare(build->session, call, &build->shared, &runtime, err) != 0) {
		/* An unquoted pattern: the shell made its first match the script. */
		if (call->options->batch_pattern && !glob_is_pattern(call->options->batch_pattern))
			error_hint(err, "quote the pattern: --batch '*.csv'");
		return -1;
	}
	build->arguments = xcalloc(call->argument_count + 1, sizeof(build->arguments[0]));
	for (size_t i = 0; i < call->argument_count; i++) {
		if (strstr(call->arguments[i], "{}"))
			build->arguments[i] = xstrdup(call->arguments[i]);
		else if (inputs_add_argument(&build->shared, call->arguments[i],
					     &build->arguments[i], err) != 0)
			return -1;
	}
	if (inputs_hash(&build->shared, err) != 0)
		return -1;
	run_say_notes(build->session->terminal, &build->shared);
	return job_request_base(&call->options->job, runtime, &build->shared, false, &build->base,
				&inlined, err);
}

static void keep_file(struct batch_build *build, struct input_file *file)
{
	if (build->file_count == build->file_capacity) {
		build->file_capacity = build->file_capacity ? build->file_capacity * 2 : 64;
		build->files =
			xreallocarray(build->files, build->file_capacity, sizeof(build->files[0]));
	}
	build->files[build->file_count++] = *file;
	*file = (struct input_file){0};
}

static bool list_has(const json_t *list, const char *member, const char *path)
{
	const json_t *entry;
	size_t index;

	json_array_foreach (list, index, entry) {
		const char *text = member ? api_text(entry, member) : json_string_value(entry);

		if (text && str_eq(text, path))
			return true;
	}
	return false;
}

/* Whether every job has a file of that path already. */
static bool travels_anyway(const struct batch_build *build, const char *path)
{
	return str_eq(build->shared.script.path, path) ||
	       list_has(json_object_get(build->base, "files"), "path", path);
}

/* An argument that the item gave rise to: its file travels with this job only. */
static int add_item_argument(struct batch_build *build, json_t *job, const char *argument,
			     char **ret_text, struct error *err)
{
	CLEANUP(cleanup_input_argument) struct input_argument look = {0};

	if (inputs_look_at(&build->shared, argument, &look, err) != 0)
		return -1;
	if (look.note && !build->noted_outside) {
		terminal_note(build->session->terminal, "%s", look.note);
		build->noted_outside = true;
	}
	if (look.directory && !list_has(json_object_get(job, "directories"), NULL, look.directory))
		job_request_add_directory(job, look.directory);
	if (look.is_file && !travels_anyway(build, look.file.path) &&
	    !list_has(json_object_get(job, "files"), "path", look.file.path)) {
		if (input_file_hash(&look.file, err) != 0)
			return -1;
		job_request_add_file(job, &look.file);
		keep_file(build, &look.file);
	}
	*ret_text = TAKE_PTR(look.text);
	return 0;
}

/* A copy whose lists may be added to. */
static json_t *copy_base(json_t *base)
{
	static const char *const lists[] = {"files", "directories"};
	json_t *job = json_copy(base);

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		json_t *list = json_object_get(job, lists[i]);

		if (list)
			json_object_set_new(job, lists[i], json_copy(list));
	}
	return job;
}

static int build_job(struct batch_build *build, size_t index, struct error *err)
{
	const struct run_call *call = build->call;
	const char *text = build->items.texts.items[index];
	size_t count;
	CLEANUP(cleanup_batch_item_arguments)
	char **arguments = batch_item_arguments((const char *const *)build->arguments,
						call->argument_count, text, &count);
	CLEANUP(cleanup_json) json_t *job = copy_base(build->base);

	for (size_t i = 0; i < count; i++) {
		char *rewritten;

		if (i < call->argument_count && !strstr(call->arguments[i], "{}"))
			continue;
		if (add_item_argument(build, job, arguments[i], &rewritten, err) != 0)
			return -1;
		free(arguments[i]);
		arguments[i] = rewritten;
	}
	job_request_set_args(job, arguments, count);
	json_object_set_new(job, "name", json_string(build->items.names.items[index]));
	if (job_request_check(job, err) != 0)
		return error_wrap(err, "item %s", text);
	build->jobs[index] = json_to_text(job);
	return 0;
}

static int build_jobs(struct batch_build *build, struct error *err)
{
	uint64_t shown_ms = clock_boottime_ms();

	build->jobs = xcalloc(build->items.texts.count, sizeof(build->jobs[0]));
	for (size_t i = 0; i < build->items.texts.count; i++) {
		if (build_job(build, i, err) != 0)
			return -1;
		if (clock_boottime_ms() - shown_ms >= NOTE_EVERY_MS) {
			char line[64];

			(void)snprintf(line, sizeof(line), "reading: %zu/%zu", i + 1,
				       build->items.texts.count);
			terminal_line(build->session->terminal, line);
			shown_ms = clock_boottime_ms();
		}
	}
	terminal_line_clear(build->session->terminal);
	return 0;
}

static int upload(struct batch_build *build, struct error *err)
{
	CLEANUP(cleanup_uploads) struct uploads uploads = {0};
	const struct inputs *shared = &build->shared;

	uploads_add_file(&uploads, shared->script.sha256, shared->script.size_bytes,
			 shared->script.source);
	for (size_t i = 0; i < shared->file_count; i++)
		uploads_add_file(&uploads, shared->files[i].sha256, shared->files[i].size_bytes,
				 shared->files[i].source);
	for (size_t i = 0; i < build->file_count; i++)
		uploads_add_file(&uploads, build->files[i].sha256, build->files[i].size_bytes,
				 build->files[i].source);
	return uploads_send(&uploads, build->session->api, build->session->terminal, err);
}

/* `frame` without its closing brace, then the jobs [first, *ret_end) that fit one request. */
static void append_chunk(const struct batch_build *build, json_t *frame, size_t first,
			 struct buf *body, size_t *ret_end)
{
	CLEANUP(cleanup_free) char *text = json_to_text(frame);
	size_t count = build->items.texts.count;
	size_t at = first;

	buf_append(body, text, strlen(text) - 1);
	buf_append_str(body, json_object_size(frame) > 0 ? ",\"jobs\":[" : "\"jobs\":[");
	for (; at < count && at - first < LIMIT_BULK_JOBS && body->bytes < CHUNK_BYTES_MAX; at++) {
		if (at > first)
			buf_append_char(body, ',');
		buf_append_str(body, build->jobs[at]);
	}
	buf_append_str(body, "]}");
	*ret_end = at;
}

static int submit_chunk(const struct batch_build *build, const char *path, json_t *frame,
			size_t first, size_t *ret_end, json_t **ret, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf body = {0};
	struct api_request request = {
		.method = "POST",
		.path = path,
		.repeat = API_REPEAT_CREATE,
	};

	buf_init(&body, LIMIT_BODY_BYTES);
	append_chunk(build, frame, first, &body, ret_end);
	request.body = body.data;
	request.body_bytes = body.bytes;
	return api_json(build->session->api, &request, ret, err);
}

static int batch_frame(const struct batch_build *build, json_t **ret, struct error *err)
{
	const struct run_options *options = build->call->options;
	CLEANUP(cleanup_json) json_t *frame = json_object();
	json_t *labels = NULL;

	if (options->job.name)
		json_object_set_new(frame, "name", json_string(options->job.name));
	if (options->parallel)
		json_object_set_new(frame, "parallel", json_integer((json_int_t)options->parallel));
	if (options->max_fails)
		json_object_set_new(frame, "max_fails",
				    json_integer((json_int_t)options->max_fails));
	if (options->max_cost_micros)
		json_object_set_new(frame, "max_cost_micros",
				    json_integer((json_int_t)options->max_cost_micros));
	if (job_request_labels(&options->job.labels, &labels, err) != 0)
		return -1;
	if (labels)
		json_object_set_new(frame, "labels", labels);
	*ret = TAKE_PTR(frame);
	return 0;
}

static int submit(const struct batch_build *build, char **ret_id, struct error *err)
{
	CLEANUP(cleanup_json) json_t *frame = NULL;
	CLEANUP(cleanup_json) json_t *more = json_object();
	CLEANUP(cleanup_json) json_t *batch = NULL;
	CLEANUP(cleanup_free) char *path = NULL;
	struct spending spending = {0};
	size_t count = build->items.texts.count;
	size_t submitted;

	if (batch_frame(build, &frame, err) != 0 ||
	    submit_chunk(build, "/api/v1/batches", frame, 0, &submitted, &batch, err) != 0)
		return -1;
	if (!api_text(batch, "id"))
		return error_set(err, ERR_UNAVAILABLE, "the server's answer is garbled");
	if (build->call->options->detach) /* else the watch says it */
		spending_note(&spending, build->session->terminal, batch, api_text(batch, "id"));
	path = api_path("batches", api_text(batch, "id"), "/jobs");
	while (submitted < count) {
		CLEANUP(cleanup_json) json_t *answer = NULL;

		if (submit_chunk(build, path, more, submitted, &submitted, &answer, err) != 0) {
			error_wrap(err, "only part of the batch was submitted");
			return error_hint(err, "to stop that part: rgrid cancel %s",
					  api_text(batch, "id"));
		}
	}
	*ret_id = xstrdup(api_text(batch, "id"));
	return 0;
}

int run_batch(struct session *session, const struct run_call *call, struct error *err)
{
	CLEANUP(batch_build_release) struct batch_build build = {.session = session, .call = call};
	CLEANUP(cleanup_free) char *id = NULL;
	const struct run_options *options = call->options;
	const struct batch_watch_options watch = {
		.output_directory = options->output_directory ? options->output_directory
							      : RUN_BATCH_OUTPUT_DIRECTORY,
		.flat = options->flat,
		.cancel_on_interrupt = options->cancel_on_interrupt,
	};

	if (prepare_shared(&build, err) != 0)
		return -1;
	if ((options->batch_pattern
		     ? batch_items_from_glob(options->batch_pattern, &build.items, err)
		     : batch_items_from_lines(options->lines_path, &build.items, err)) != 0)
		return -1;
	if (build_jobs(&build, err) != 0 || upload(&build, err) != 0)
		return -1;
	interrupt_install();
	if (submit(&build, &id, err) != 0)
		return watch_unsubmitted(session, err);
	if (options->detach) {
		CLEANUP(cleanup_free) char *line = xasprintf("%s\n", id);

		return terminal_write(STDOUT_FILENO, line, strlen(line), err);
	}
	terminal_note(session->terminal, "%s: %zu jobs", id, build.items.texts.count);
	return batch_watch(session, id, &watch, err);
}
