#include "cli/run.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "cli/interrupt.h"
#include "cli/spending.h"
#include "cli/stdin_spool.h"
#include "cli/uploads.h"
#include "cli/watch.h"
#include "core/runtime.h"

void run_say_notes(struct terminal *terminal, struct inputs *inputs)
{
	terminal_note_lines(terminal, inputs->notes.data);
	buf_clear(&inputs->notes);
}

int run_prepare(struct session *session, const struct run_call *call, struct inputs *inputs,
		const struct runtime **ret_runtime, struct error *err)
{
	char directory[PATH_MAX];
	bool inexact;

	if (!getcwd(directory, sizeof(directory)))
		return error_set_errno(err, ERR_INVALID, errno,
				       "cannot find the current directory");
	inputs_init(inputs, directory);
	if (inputs_set_script(inputs, call->script, err) != 0)
		return -1;
	if (job_request_runtime(&call->options->job, call->script, ret_runtime, &inexact, err) != 0)
		return -1;
	if (inexact)
		terminal_note(session->terminal,
			      "runtime %s: the worker's own version of %s is used",
			      call->options->job.runtime, (*ret_runtime)->name);
	for (size_t i = 0; i < call->options->files.count; i++) {
		if (inputs_add_path(inputs, call->options->files.items[i], err) != 0)
			return error_wrap(err, "--file");
	}
	return 0;
}

/* The arguments as the job gets them; files among them are added to the inputs. */
static int add_arguments(const struct run_call *call, struct inputs *inputs, json_t *args,
			 struct error *err)
{
	for (size_t i = 0; i < call->argument_count; i++) {
		CLEANUP(cleanup_free) char *text = NULL;

		if (inputs_add_argument(inputs, call->arguments[i], &text, err) != 0)
			return -1;
		json_array_append_new(args, json_string(text));
	}
	return 0;
}

static int build_job(const struct run_call *call, const struct runtime *runtime,
		     struct inputs *inputs, const struct stdin_spool *spool, json_t **ret,
		     bool *ret_inlined, struct error *err)
{
	CLEANUP(cleanup_json) json_t *args = json_array();
	CLEANUP(cleanup_json) json_t *job = NULL;

	if (add_arguments(call, inputs, args, err) != 0 || inputs_hash(inputs, err) != 0)
		return -1;
	if (job_request_base(&call->options->job, runtime, inputs, true, &job, ret_inlined, err) !=
	    0)
		return -1;
	json_object_set(job, "args", args);
	if (call->options->job.name)
		json_object_set_new(job, "name", json_string(call->options->job.name));
	if (spool->fd >= 0) {
		char hex[SHA256_HEX_BYTES];

		sha256_to_hex(spool->sha256, hex);
		json_object_set_new(job, "stdin", json_pack("{s:s}", "blob", hex));
	}
	if (job_request_check(job, err) != 0)
		return -1;
	*ret = TAKE_PTR(job);
	return 0;
}

static int upload(struct session *session, const struct inputs *inputs, bool script_inlined,
		  const struct stdin_spool *spool, struct error *err)
{
	CLEANUP(cleanup_uploads) struct uploads uploads = {0};

	if (!script_inlined)
		uploads_add_file(&uploads, inputs->script.sha256, inputs->script.size_bytes,
				 inputs->script.source);
	for (size_t i = 0; i < inputs->file_count; i++)
		uploads_add_file(&uploads, inputs->files[i].sha256, inputs->files[i].size_bytes,
				 inputs->files[i].source);
	if (spool->fd >= 0)
		uploads_add_fd(&uploads, spool->sha256, spool->size_bytes, spool->fd);
	return uploads_send(&uploads, session->api, session->terminal, err);
}

static int submit(struct session *session, const json_t *job, struct spending *spending,
		  char **ret_id, struct error *err)
{
	CLEANUP(cleanup_json) json_t *answer = NULL;

	if (api_post(session->api, "/api/v1/jobs", job, API_REPEAT_CREATE, &answer, err) != 0)
		return -1;
	if (!api_text(answer, "id"))
		return error_set(err, ERR_UNAVAILABLE, "the server's answer is garbled");
	*ret_id = xstrdup(api_text(answer, "id"));
	spending_note(spending, session->terminal, answer, *ret_id);
	return 0;
}

int run_single(struct session *session, const struct run_call *call, struct error *err)
{
	CLEANUP(cleanup_inputs) struct inputs inputs = {0};
	CLEANUP(cleanup_stdin_spool) struct stdin_spool spool = {.fd = -1};
	CLEANUP(cleanup_json) json_t *job = NULL;
	CLEANUP(cleanup_free) char *id = NULL;
	struct spending spending = {0};
	const struct runtime *runtime;
	bool script_inlined;
	const struct run_options *options = call->options;
	const struct watch_options watch = {
		.output_directory = options->output_directory ? options->output_directory : ".",
		.arguments = call->arguments,
		.cancel_on_interrupt = options->cancel_on_interrupt,
		.spending = &spending,
	};

	if (run_prepare(session, call, &inputs, &runtime, err) != 0)
		return -1;
	if (!options->no_stdin && stdin_spool_read(session->terminal, &spool, err) != 0)
		return -1;
	if (build_job(call, runtime, &inputs, &spool, &job, &script_inlined, err) != 0)
		return -1;
	run_say_notes(session->terminal, &inputs);
	if (upload(session, &inputs, script_inlined, &spool, err) != 0)
		return -1;
	interrupt_install();
	if (submit(session, job, &spending, &id, err) != 0)
		return watch_unsubmitted(session, err);
	if (options->detach) {
		CLEANUP(cleanup_free) char *line = xasprintf("%s\n", id);

		return terminal_write(STDOUT_FILENO, line, strlen(line), err);
	}
	return watch_job(session, id, &watch, err);
}
