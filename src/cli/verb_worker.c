#include <limits.h>
#include <unistd.h>

#include "base/check.h"
#include "base/str.h"
#include "cli/job_view.h"
#include "cli/session.h"

#define TEXT_BYTES_MAX (4 * 1024 * 1024)
#define NOTE_BYTES_MAX 1024

/* What is asked of each worker: a method, and what its path ends with. */
struct demand {
	const char *method;
	const char *suffix; /* "/drain" */
	const char *busy;   /* said of a worker that drains and has jobs, after their number */
};

static void note(struct session *session, const struct demand *demand, const json_t *worker)
{
	CLEANUP(cleanup_buf) struct buf text = {0};
	const char *state = api_text(worker, "state");
	long long running = (long long)api_number(worker, "running");

	buf_init(&text, NOTE_BYTES_MAX);
	terminal_clean(&text, state ? state : "done");
	if (running > 0 && state && str_eq(state, "draining"))
		buf_appendf(&text, ", %lld job%s %s", running, running == 1 ? "" : "s",
			    demand->busy);
	terminal_note(session->terminal, "%s: %s",
		      api_text(worker, "id") ? api_text(worker, "id") : "worker", text.data);
}

/* With several workers each error says which it is about. */
static int ask_one(struct session *session, const struct demand *demand, const char *id,
		   bool is_alone, json_t **ret, struct error *err)
{
	CLEANUP(cleanup_free) char *path = api_path("workers", id, demand->suffix);
	/* Each of these may be repeated: it asks for a state, not for a step. */
	const struct api_request request = {
		.method = demand->method, .path = path, .repeat = API_REPEAT_SAFE};

	if (api_json(session->api, &request, ret, err) == 0)
		return 0;
	return is_alone ? -1 : error_wrap(err, "%s", id);
}

/* All are tried; the first failure decides the exit code. */
static int ask_all(struct verb_call *call, const struct demand *demand, bool as_json,
		   struct error *err)
{
	CLEANUP(cleanup_session) struct session session = {0};
	CLEANUP(cleanup_json) json_t *answers = json_array();
	CLEANUP(cleanup_buf) struct buf text = {0};
	int result = 0;

	buf_init(&text, TEXT_BYTES_MAX);
	if (session_open(call, &session, err) != 0)
		return -1;
	for (int i = 0; i < call->positional_count; i++) {
		struct error one = {0};
		json_t *worker = NULL;

		if (ask_one(&session, demand, call->positional[i], call->positional_count == 1,
			    &worker, &one) == 0) {
			if (!as_json)
				note(&session, demand, worker);
			CHECK(json_array_append_new(answers, worker) == 0);
			continue;
		}
		if (result == 0)
			*err = one;
		else
			terminal_error(call->terminal, &one);
		result = -1;
	}
	if (!as_json)
		return result;
	view_json(answers, &text);
	return terminal_write(STDOUT_FILENO, text.data, text.bytes, err) != 0 ? -1 : result;
}

int verb_worker_drain(struct verb_call *call, struct error *err)
{
	const struct demand demand = {
		.method = "POST", .suffix = "/drain", .busy = "end first; then it leaves"};
	bool as_json = false;
	const struct opt options[] = {
		OPT_FLAG(0, "json", &as_json, "Print the workers as JSON"),
	};
	struct opt_command command = {
		.synopsis = "[--json] WORKER...",
		.description = "The worker ends the jobs it has, takes no more, and leaves when it "
			       "has none. Until then `rgrid worker undrain` takes it back. Takes "
			       "an admin key.",
		.examples = "  rgrid worker drain worker_06f2kq\n",
		.options = options,
		.option_count = ARRAY_SIZE(options),
	};
	int parsed = verb_parse(call, &command, 1, INT_MAX, err);

	return parsed <= 0 ? parsed : ask_all(call, &demand, as_json, err);
}

int verb_worker_undrain(struct verb_call *call, struct error *err)
{
	const struct demand demand = {.method = "POST", .suffix = "/undrain", .busy = "run"};
	bool as_json = false;
	const struct opt options[] = {
		OPT_FLAG(0, "json", &as_json, "Print the workers as JSON"),
	};
	struct opt_command command = {
		.synopsis = "[--json] WORKER...",
		.description = "A draining worker takes jobs again, whoever drained it: an "
			       "operator, or the fleet to save money. One that has left does not "
			       "come back. Takes an admin key.",
		.examples = "  rgrid worker undrain worker_06f2kq\n",
		.options = options,
		.option_count = ARRAY_SIZE(options),
	};
	int parsed = verb_parse(call, &command, 1, INT_MAX, err);

	return parsed <= 0 ? parsed : ask_all(call, &demand, as_json, err);
}

int verb_worker_delete(struct verb_call *call, struct error *err)
{
	const struct demand gently = {.method = "DELETE",
				      .suffix = "",
				      .busy = "end first; --force ends it now, and they run "
					      "elsewhere"};
	const struct demand at_once = {.method = "DELETE", .suffix = "?force=1", .busy = "run"};
	bool force = false, as_json = false;
	const struct opt options[] = {
		OPT_FLAG('f', "force", &force,
			 "Also while it has jobs: they are queued again, as if it were lost"),
		OPT_FLAG(0, "json", &as_json, "Print the workers as JSON"),
	};
	struct opt_command command = {
		.synopsis = "[--force] [--json] WORKER...",
		.description = "The worker goes for good, and its server with it: at once if it "
			       "has no jobs, else when they have ended. The fleet may create "
			       "another one in its place: `rgrid fleet pause` keeps it from that. "
			       "Takes an admin key.",
		.examples = "  rgrid worker delete worker_06f2kq\n"
			    "  rgrid worker delete --force worker_06f2kq\n",
		.options = options,
		.option_count = ARRAY_SIZE(options),
	};
	int parsed = verb_parse(call, &command, 1, INT_MAX, err);

	return parsed <= 0 ? parsed : ask_all(call, force ? &at_once : &gently, as_json, err);
}
