#include <unistd.h>

#include "cli/job_view.h"
#include "cli/session.h"
#include "cli/target.h"

#define TEXT_BYTES_MAX (64ULL * 1024 * 1024)
#define GLANCE_JOBS    5

static int show_one(struct session *session, const char *collection, const char *id, bool as_json,
		    void (*view)(const json_t *item, const struct terminal *terminal,
				 struct buf *out),
		    struct error *err)
{
	CLEANUP(cleanup_free) char *path = api_path(collection, id, "");
	CLEANUP(cleanup_json) json_t *item = NULL;
	CLEANUP(cleanup_buf) struct buf text = {0};

	buf_init(&text, TEXT_BYTES_MAX);
	if (api_get(session->api, path, &item, err) != 0)
		return -1;
	if (as_json)
		view_json(item, &text);
	else
		view(item, session->terminal, &text);
	return terminal_write(STDOUT_FILENO, text.data, text.bytes, err);
}

/* "3 workers: 5 of 12 slots busy" */
static void append_workers(const json_t *workers, struct buf *out)
{
	const json_t *worker;
	long long active = 0, busy = 0, slots = 0, coming = 0;
	size_t index;

	json_array_foreach (json_object_get(workers, "items"), index, worker) {
		const char *state = api_text(worker, "state");

		coming += state && strcmp(state, "provisioning") == 0;
		if (!state || strcmp(state, "active") != 0)
			continue;
		active++;
		busy += (long long)api_number(worker, "running");
		slots += (long long)api_number(worker, "slots");
	}
	buf_appendf(out, "workers    %lld active, %lld of %lld slots busy", active, busy, slots);
	if (coming > 0)
		buf_appendf(out, ", %lld being set up", coming);
	buf_append_char(out, '\n');
}

static int show_grid(struct session *session, bool as_json, struct error *err)
{
	CLEANUP(cleanup_json) json_t *key = NULL;
	CLEANUP(cleanup_json) json_t *workers = NULL;
	CLEANUP(cleanup_json) json_t *jobs = NULL;
	CLEANUP(cleanup_json) json_t *all = NULL;
	CLEANUP(cleanup_free) char *list = xasprintf("/api/v1/jobs?limit=%d", GLANCE_JOBS);
	CLEANUP(cleanup_buf) struct buf text = {0};

	buf_init(&text, TEXT_BYTES_MAX);
	if (api_get(session->api, "/api/v1/keys/self", &key, err) != 0 ||
	    api_get(session->api, "/api/v1/workers?limit=1000", &workers, err) != 0 ||
	    api_get(session->api, list, &jobs, err) != 0)
		return -1;
	if (as_json) {
		all = json_pack("{s:s, s:O, s:O, s:O}", "url", session->config.url, "key", key,
				"workers", json_object_get(workers, "items"), "jobs",
				json_object_get(jobs, "items"));
		view_json(all, &text);
		return terminal_write(STDOUT_FILENO, text.data, text.bytes, err);
	}
	buf_appendf(&text, "server     %s\nproject    ", session->config.url);
	terminal_clean(&text, api_text(key, "project") ? api_text(key, "project") : "?");
	buf_append_char(&text, '\n');
	append_workers(workers, &text);
	if (json_array_size(json_object_get(jobs, "items")) > 0) {
		buf_append_char(&text, '\n');
		view_jobs(json_object_get(jobs, "items"), session->terminal, &text);
	}
	return terminal_write(STDOUT_FILENO, text.data, text.bytes, err);
}

int verb_status(struct verb_call *call, struct error *err)
{
	CLEANUP(cleanup_session) struct session session = {0};
	bool as_json = false;
	const struct opt options[] = {
		OPT_FLAG(0, "json", &as_json, "Print JSON"),
	};
	struct opt_command command = {
		.synopsis = "[--json] [ID]",
		.description = "Without an id: the server, its workers and the newest jobs.",
		.examples = "  rgrid status last\n  rgrid status batch_06f2kq\n",
		.options = options,
		.option_count = ARRAY_SIZE(options),
	};
	int parsed = verb_parse(call, &command, 0, 1, err);

	if (parsed <= 0)
		return parsed;
	if (session_open(call, &session, err) != 0)
		return -1;
	if (call->positional_count == 0)
		return show_grid(&session, as_json, err);
	return show_one(&session, target_collection(call->positional[0]), call->positional[0],
			as_json, target_is_batch(call->positional[0]) ? view_batch : view_job, err);
}

int verb_batch_status(struct verb_call *call, struct error *err)
{
	CLEANUP(cleanup_session) struct session session = {0};
	bool as_json = false;
	const struct opt options[] = {
		OPT_FLAG(0, "json", &as_json, "Print JSON"),
	};
	struct opt_command command = {
		.synopsis = "[--json] [ID]",
		.description = "Without an id: the newest batch.",
		.examples = "  rgrid batch status last\n",
		.options = options,
		.option_count = ARRAY_SIZE(options),
	};
	int parsed = verb_parse(call, &command, 0, 1, err);

	if (parsed <= 0)
		return parsed;
	if (session_open(call, &session, err) != 0)
		return -1;
	return show_one(&session, "batches", call->positional_count ? call->positional[0] : "last",
			as_json, view_batch, err);
}
