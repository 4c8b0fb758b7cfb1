#include "cli/session.h"
#include "cli/target.h"

static int retry_job(struct session *session, const char *id, struct error *err)
{
	CLEANUP(cleanup_free) char *path = api_path("jobs", id, "/retry");
	CLEANUP(cleanup_json) json_t *job = NULL;
	const char *whole;

	if (api_post(session->api, path, NULL, API_REPEAT_CREATE, &job, err) != 0)
		return -1;
	whole = api_text(job, "id") ? api_text(job, "id") : id;
	terminal_note(session->terminal, "%s: queued again; to follow it: rgrid attach %s", whole,
		      whole);
	return 0;
}

static int retry_batch(struct session *session, const char *id, bool only_failed, struct error *err)
{
	CLEANUP(cleanup_free) char *path = api_path("batches", id, "/retry");
	CLEANUP(cleanup_json)
	json_t *body = json_pack("{s:s}", "only", only_failed ? "failed" : "all");
	CLEANUP(cleanup_json) json_t *answer = NULL;

	if (api_post(session->api, path, body, API_REPEAT_CREATE, &answer, err) != 0)
		return -1;
	terminal_note(session->terminal,
		      "%s: %lld jobs queued again; to follow them: rgrid attach %s", id,
		      (long long)api_number(answer, "retried"), id);
	return 0;
}

static int retry(struct verb_call *call, const char *batch, bool only_failed, bool all,
		 struct error *err)
{
	CLEANUP(cleanup_session) struct session session = {0};
	const char *id = batch ? batch : call->positional_count ? call->positional[0] : NULL;

	if (!id || (batch && call->positional_count > 0)) {
		error_set(err, ERR_INVALID, "name one job, or one batch with --batch");
		return error_hint(err, "usage: rgrid retry ID, rgrid retry --batch ID --failed");
	}
	batch = batch || target_is_batch(id) ? id : NULL;
	if (batch && only_failed == all) {
		error_set(err, ERR_INVALID, "say which jobs of the batch to run again");
		return error_hint(err, "--failed, or --all for those that succeeded too");
	}
	if (!batch && (only_failed || all))
		return error_set(err, ERR_INVALID, "--failed and --all are for batches");
	if (session_open(call, &session, err) != 0)
		return -1;
	return batch ? retry_batch(&session, batch, only_failed, err)
		     : retry_job(&session, id, err);
}

int verb_retry(struct verb_call *call, struct error *err)
{
	const char *batch = NULL;
	bool only_failed = false, all = false;
	const struct opt options[] = {
		OPT_STR('b', "batch", "ID", &batch, "The batch whose jobs to run again", "batch"),
		OPT_FLAG(0, "failed", &only_failed, "Those that failed or were cancelled"),
		OPT_FLAG(0, "all", &all, "All of them"),
	};
	struct opt_command command = {
		.synopsis = "ID | --batch ID --failed",
		.description = "Queues a new attempt of the same job: same id, same inputs, inside "
			       "the same batch. The history of attempts is kept.",
		.examples = "  rgrid retry last\n  rgrid retry --batch last --failed\n",
		.options = options,
		.option_count = ARRAY_SIZE(options),
	};
	int parsed = verb_parse(call, &command, 0, 1, err);

	return parsed <= 0 ? parsed : retry(call, batch, only_failed, all, err);
}
