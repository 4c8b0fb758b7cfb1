#include "cli/batch_watch.h"
#include "cli/target.h"
#include "cli/watch.h"

static int attach(struct verb_call *call, const char *output_directory, bool flat, bool cancel,
		  struct error *err)
{
	CLEANUP(cleanup_session) struct session session = {0};
	CLEANUP(cleanup_json) json_t *found = NULL;
	const char *id = call->positional[0];
	CLEANUP(cleanup_free) char *path = api_path(target_collection(id), id, "");
	const struct batch_watch_options batch = {
		.output_directory = output_directory, .flat = flat, .cancel_on_interrupt = cancel};
	const struct watch_options job = {.output_directory = output_directory,
					  .cancel_on_interrupt = cancel};

	if (session_open(call, &session, err) != 0)
		return -1;
	/* "last" and prefixes are resolved once, so that we stay with one job. */
	if (api_get(session.api, path, &found, err) != 0)
		return -1;
	if (!api_text(found, "id"))
		return error_set(err, ERR_UNAVAILABLE, "the server's answer is garbled");
	return target_is_batch(id) ? batch_watch(&session, api_text(found, "id"), &batch, err)
				   : watch_job(&session, api_text(found, "id"), &job, err);
}

int verb_attach(struct verb_call *call, struct error *err)
{
	const char *output_directory = NULL;
	bool flat = false, cancel = false;
	const struct opt options[] = {
		OPT_STR('o', "output-dir", "DIR", &output_directory,
			"Also fetch the output files, to there", "directory"),
		OPT_FLAG(0, "flat", &flat, "All outputs of a batch in one directory"),
		OPT_FLAG(0, "cancel-on-interrupt", &cancel, "Ctrl-C cancels instead of detaching"),
	};
	struct opt_command command = {
		.synopsis = "[options] ID",
		.description =
			"Shows the output of a job from its beginning and follows it, or the "
			"progress of a batch, and ends with the exit code that run would "
			"have ended with. Ctrl-C detaches again.",
		.examples = "  rgrid attach last\n"
			    "  rgrid attach --output-dir outputs batch_06f2kq\n",
		.options = options,
		.option_count = ARRAY_SIZE(options),
	};
	int parsed = verb_parse(call, &command, 1, 1, err);

	return parsed <= 0 ? parsed : attach(call, output_directory, flat, cancel, err);
}
