#include <limits.h>

#include "cli/session.h"
#include "cli/target.h"

static int cancel_one(struct session *session, const char *collection, const char *id,
		      struct error *err)
{
	CLEANUP(cleanup_free) char *path = api_path(collection, id, "/cancel");
	CLEANUP(cleanup_json) json_t *answer = NULL;
	const char *whole, *state;

	if (api_post(session->api, path, NULL, API_REPEAT_SAFE, &answer, err) != 0)
		return error_wrap(err, "%s", id);
	whole = api_text(answer, "id");
	state = api_text(answer, "state");
	terminal_note(session->terminal, "%s: %s", whole ? whole : id,
		      state ? state : "cancel requested");
	return 0;
}

/* All are tried; the first failure decides the exit code. */
static int cancel_all(struct verb_call *call, const char *collection, struct error *err)
{
	CLEANUP(cleanup_session) struct session session = {0};
	int result = 0;

	if (session_open(call, &session, err) != 0)
		return -1;
	for (int i = 0; i < call->positional_count; i++) {
		const char *id = call->positional[i];
		struct error one = {0};

		if (cancel_one(&session, collection ? collection : target_collection(id), id,
			       &one) == 0)
			continue;
		if (result == 0)
			*err = one;
		else
			terminal_error(call->terminal, &one);
		result = -1;
	}
	return result;
}

int verb_cancel(struct verb_call *call, struct error *err)
{
	struct opt_command command = {
		.synopsis = "ID...",
		.description = "Queued jobs will not start; running ones are stopped.",
		.examples = "  rgrid cancel last\n  rgrid cancel job_06f2kq batch_06f2ks\n",
	};
	int parsed = verb_parse(call, &command, 1, INT_MAX, err);

	return parsed <= 0 ? parsed : cancel_all(call, NULL, err);
}

int verb_batch_cancel(struct verb_call *call, struct error *err)
{
	struct opt_command command = {
		.synopsis = "ID...",
		.description = "Cancels all jobs of the batch that have not ended.",
		.examples = "  rgrid batch cancel last\n",
	};
	int parsed = verb_parse(call, &command, 1, INT_MAX, err);

	return parsed <= 0 ? parsed : cancel_all(call, "batches", err);
}
