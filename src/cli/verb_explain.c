#include <unistd.h>

#include "cli/job_view.h"
#include "cli/session.h"
#include "cli/when.h"

#define TEXT_BYTES_MAX (1024 * 1024)

static void append_reason(const json_t *reason, const struct terminal *terminal, struct buf *out)
{
	char when[WHEN_BYTES];

	terminal_clean(out, api_text(reason, "reason") ? api_text(reason, "reason") : "");
	buf_append_str(out, "\n  ");
	terminal_clean(out, api_text(reason, "next") ? api_text(reason, "next") : "");
	if (api_text(reason, "until"))
		buf_appendf(out, " (%s at the latest)",
			    when_show(api_text(reason, "until"), terminal->out_is_tty, when));
	buf_append_char(out, '\n');
}

static void append_pause(const json_t *pause, struct buf *out)
{
	if (!json_is_object(pause))
		return;
	buf_append_str(out, "provisioning is paused");
	if (api_text(pause, "reason")) {
		buf_append_str(out, ": ");
		terminal_clean(out, api_text(pause, "reason"));
	}
	buf_append_str(out, "\n  no server is created until: rgrid fleet resume\n");
}

static void append_explanation(const json_t *answer, const struct terminal *terminal,
			       struct buf *out)
{
	const json_t *all = json_object_get(answer, "all");
	const json_t *reason;
	size_t index;

	buf_appendf(out, "%s is %s\n", api_text(answer, "id"), api_text(answer, "state"));
	if (json_array_size(all) == 0)
		append_reason(answer, terminal, out);
	json_array_foreach (all, index, reason)
		append_reason(reason, terminal, out);
	append_pause(json_object_get(answer, "provisioning_paused"), out);
}

int verb_explain(struct verb_call *call, struct error *err)
{
	CLEANUP(cleanup_session) struct session session = {0};
	CLEANUP(cleanup_json) json_t *answer = NULL;
	CLEANUP(cleanup_buf) struct buf text = {0};
	bool as_json = false;
	const struct opt options[] = {
		OPT_FLAG(0, "json", &as_json, "Print JSON"),
	};
	struct opt_command command = {
		.synopsis = "[--json] [ID]",
		.description = "Why a job does not run yet, and what will happen next.",
		.examples = "  rgrid explain last\n",
		.options = options,
		.option_count = ARRAY_SIZE(options),
	};
	int parsed = verb_parse(call, &command, 0, 1, err);

	if (parsed <= 0)
		return parsed;
	buf_init(&text, TEXT_BYTES_MAX);
	CLEANUP(cleanup_free)
	char *path =
		api_path("jobs", call->positional_count ? call->positional[0] : "last", "/explain");
	if (session_open(call, &session, err) != 0 || api_get(session.api, path, &answer, err) != 0)
		return -1;
	if (as_json)
		view_json(answer, &text);
	else
		append_explanation(answer, session.terminal, &text);
	return terminal_write(STDOUT_FILENO, text.data, text.bytes, err);
}
