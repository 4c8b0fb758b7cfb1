#include "cli/watch.h"

#include <unistd.h>

#include "base/str.h"
#include "cli/follow.h"
#include "cli/interrupt.h"
#include "cli/outputs.h"
#include "cli/verdict.h"

int watch_interrupted(struct session *session, const char *cancel_path, const char *id,
		      const char *attach_options, bool cancel)
{
	int exit_code = 128 + interrupt_signal();
	CLEANUP(cleanup_json) json_t *answer = NULL;
	struct error err = {0};

	interrupt_clear(); /* a second signal ends the program at once all the same */
	terminal_line_clear(session->terminal);
	if (session->terminal->err_is_tty)
		terminal_say(session->terminal, ""); /* the terminal has shown ^C */
	if (!cancel) {
		terminal_note(session->terminal,
			      "detached; %s goes on. To come back: rgrid attach "
			      "%s%s; to stop it: rgrid cancel %s",
			      id, attach_options, id, id);
		return exit_code;
	}
	if (api_post(session->api, cancel_path, NULL, API_REPEAT_SAFE, &answer, &err) != 0)
		terminal_error(session->terminal, &err);
	else
		terminal_note(session->terminal, "cancelled %s", id);
	return exit_code;
}

int watch_failed(struct session *session, const char *id, const char *attach_options,
		 struct error *err)
{
	terminal_line_clear(session->terminal);
	if (terminal_reader_gone(err))
		return -1;
	if (!err->hint[0])
		error_hint(err, "%s is unharmed; to come back: rgrid attach %s%s", id,
			   attach_options, id);
	terminal_error(session->terminal, err);
	return EXIT_RGRID_FAILED;
}

int watch_unsubmitted(struct session *session, struct error *err)
{
	if (!interrupt_signal())
		return -1;
	if (!err->hint[0])
		error_hint(err, "it may have been accepted all the same: rgrid list");
	terminal_error(session->terminal, err);
	return 128 + interrupt_signal();
}

static int fetch_outputs(struct session *session, const char *job_id, const char *directory,
			 struct error *err)
{
	CLEANUP(cleanup_outputs) struct outputs outputs;

	outputs_init(&outputs, session->api, directory);
	return outputs_fetch(&outputs, job_id, "", NULL, err);
}

/* Outputs that cannot be fetched are RGrid's failure, whatever the script said. */
static int finish(struct session *session, const char *job_id, const struct watch_options *options,
		  const struct follow_result *result)
{
	struct error fetch_error = {0};
	bool fetched = !options->output_directory ||
		       fetch_outputs(session, job_id, options->output_directory, &fetch_error) == 0;

	verdict_explain(session->terminal, result->job, result->stderr_tail.data,
			options->arguments);
	if (fetched)
		return verdict_exit_code(result->job);
	error_wrap(&fetch_error, "cannot fetch the outputs");
	terminal_error(session->terminal, &fetch_error);
	terminal_hint(session->terminal, "they are kept; later: rgrid download %s", job_id);
	return interrupt_signal() ? 128 + interrupt_signal() : EXIT_RGRID_FAILED;
}

int watch_job(struct session *session, const char *job_id, const struct watch_options *options,
	      struct error *err)
{
	CLEANUP(cleanup_follow_result) struct follow_result result = {0};
	CLEANUP(cleanup_free) char *cancel_path = api_path("jobs", job_id, "/cancel");
	struct spending spending = {0};
	const struct follow_options follow = {
		.job_id = job_id,
		.stdout_fd = STDOUT_FILENO,
		.stderr_fd = STDERR_FILENO,
		.shows_state = true,
		.spending = options->spending ? options->spending : &spending,
	};

	interrupt_install();
	if (follow_job(&follow, session->api, session->terminal, &result, err) != 0)
		return watch_failed(session, job_id, "", err);
	if (!result.job)
		return watch_interrupted(session, cancel_path, job_id, "",
					 options->cancel_on_interrupt);
	return finish(session, job_id, options, &result);
}
