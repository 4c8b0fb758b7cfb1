#include <inttypes.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/job_view.h"
#include "cli/money.h"
#include "cli/session.h"
#include "cli/when.h"

#define TEXT_BYTES_MAX (4 * 1024 * 1024)
#define SHORT_BYTES    64

/* ": reason" of an object that may have one. */
static void append_reason(const json_t *object, struct buf *out)
{
	if (!api_text(object, "reason"))
		return;
	buf_append_str(out, ": ");
	terminal_clean(out, api_text(object, "reason"));
}

static void append_provisioning(const json_t *fleet, const struct terminal *terminal,
				struct buf *out)
{
	const json_t *paused = json_object_get(fleet, "paused");
	const json_t *quota = json_object_get(fleet, "quota");
	char when[WHEN_BYTES];

	buf_append_str(out, "servers    ");
	if (json_is_object(paused)) {
		buf_appendf(out, "paused %s",
			    when_show(api_text(paused, "since"), terminal->out_is_tty, when));
		append_reason(paused, out);
		buf_append_str(out, "\n           to go on: rgrid fleet resume\n");
	} else if (!json_is_true(json_object_get(fleet, "orchestrator_leads"))) {
		buf_append_str(out, "no orchestrator runs: none is created or deleted\n");
	} else {
		buf_append_str(out, "created as jobs need them\n");
	}
	if (json_is_object(quota)) {
		buf_append_str(out, "           the provider's limit was met");
		append_reason(quota, out);
		buf_appendf(out, " (until %s)\n", api_text(quota, "until"));
	}
}

static void append_counts(const json_t *fleet, struct buf *out)
{
	const json_t *workers = json_object_get(fleet, "workers");
	const json_t *queue = json_object_get(fleet, "queue");

	buf_appendf(out,
		    "workers    %" PRId64 " active, %" PRId64 " provisioning, %" PRId64
		    " draining; %" PRId64 " jobs run on %" PRId64 " slots\n",
		    api_number(workers, "active"), api_number(workers, "provisioning"),
		    api_number(workers, "draining"), api_number(workers, "running"),
		    api_number(workers, "slots"));
	buf_appendf(out, "queue      %" PRId64 " ready", api_number(queue, "ready"));
	if (api_number(queue, "parked") > 0)
		buf_appendf(out, ", %" PRId64 " over their batch's limit",
			    api_number(queue, "parked"));
	if (api_number(queue, "delayed") > 0)
		buf_appendf(out, ", %" PRId64 " between two attempts",
			    api_number(queue, "delayed"));
	if (api_number(queue, "held") > 0)
		buf_appendf(out, ", %" PRId64 " held for money", api_number(queue, "held"));
	buf_append_char(out, '\n');
}

static void append_limits(const json_t *fleet, struct buf *out)
{
	const json_t *limits = json_object_get(fleet, "limits");
	int64_t spend_limit = api_number(limits, "spend_limit_micros");
	int64_t spent = api_number(fleet, "spent_micros");
	char money[MONEY_BYTES];
	char margin[SHORT_BYTES];

	if (json_is_object(limits))
		buf_appendf(out,
			    "limits     %" PRId64 " to %" PRId64 " workers, %" PRId64
			    " kept idle; %" PRId64 " slots each\n",
			    api_number(limits, "workers_min"), api_number(limits, "workers_max"),
			    api_number(limits, "workers_warm"), api_number(limits, "slots"));
	if (api_number(limits, "hour_margin_ms") > 0)
		buf_appendf(out, "idle       workers go %s before their next paid hour\n",
			    format_duration((uint64_t)api_number(limits, "hour_margin_ms"), margin,
					    sizeof(margin)));
	if (spent == 0 && spend_limit == 0)
		return;
	buf_appendf(out, "spent      %s this month", money_format(spent, money));
	if (spend_limit > 0)
		buf_appendf(out, " of %s", money_format(spend_limit, money));
	buf_append_char(out, '\n');
}

static void append_waits(const json_t *fleet, const struct terminal *terminal, struct buf *out)
{
	const json_t *wait;
	size_t index;

	json_array_foreach (json_object_get(fleet, "waits"), index, wait) {
		char memory[SHORT_BYTES];
		char when[WHEN_BYTES];

		buf_appendf(out, "%s%" PRId64 " jobs of %g cpus, %s wait",
			    index == 0 ? "waiting    " : "           ", api_number(wait, "jobs"),
			    json_number_value(json_object_get(wait, "cpus")),
			    format_bytes((uint64_t)api_number(wait, "memory_bytes"), memory,
					 sizeof(memory)));
		append_reason(wait, out);
		buf_append_str(out, "\n             ");
		terminal_clean(out, api_text(wait, "next") ? api_text(wait, "next") : "");
		if (api_text(wait, "until"))
			buf_appendf(out, " (%s at the latest)",
				    when_show(api_text(wait, "until"), terminal->out_is_tty, when));
		buf_append_char(out, '\n');
	}
}

static int print_fleet(struct session *session, const json_t *fleet, bool as_json,
		       struct error *err)
{
	CLEANUP(cleanup_buf) struct buf text = {0};

	buf_init(&text, TEXT_BYTES_MAX);
	if (as_json) {
		view_json(fleet, &text);
	} else {
		append_provisioning(fleet, session->terminal, &text);
		append_counts(fleet, &text);
		append_limits(fleet, &text);
		append_waits(fleet, session->terminal, &text);
	}
	return terminal_write(STDOUT_FILENO, text.data, text.bytes, err);
}

static int hold(struct verb_call *call, const char *path, const json_t *body, bool as_json,
		struct error *err)
{
	CLEANUP(cleanup_session) struct session session = {0};
	CLEANUP(cleanup_json) json_t *fleet = NULL;

	if (session_open(call, &session, err) != 0 ||
	    api_post(session.api, path, body, API_REPEAT_SAFE, &fleet, err) != 0)
		return -1;
	return print_fleet(&session, fleet, as_json, err);
}

int verb_fleet_pause(struct verb_call *call, struct error *err)
{
	const char *reason = NULL;
	bool as_json = false;
	const struct opt options[] = {
		OPT_STR('r', "reason", "TEXT", &reason, "Why, for those who ask why jobs wait",
			NULL),
		OPT_FLAG(0, "json", &as_json, "Print JSON"),
	};
	struct opt_command command = {
		.synopsis = "[options]",
		.description = "No server is created until `rgrid fleet resume`. Workers that "
			       "exist go on, and leave as ever. Takes an admin key.",
		.examples = "  rgrid fleet pause --reason 'new network on Monday'\n",
		.options = options,
		.option_count = ARRAY_SIZE(options),
	};
	int parsed = verb_parse(call, &command, 0, 0, err);

	if (parsed <= 0)
		return parsed;
	CLEANUP(cleanup_json)
	json_t *body = reason ? json_pack("{s:s}", "reason", reason) : json_object();
	if (!body) /* jansson packs nothing else than UTF-8 */
		return error_set(err, ERR_INVALID, "the reason is not UTF-8 text");
	return hold(call, "/api/v1/fleet/pause", body, as_json, err);
}

int verb_fleet_resume(struct verb_call *call, struct error *err)
{
	bool as_json = false;
	const struct opt options[] = {
		OPT_FLAG(0, "json", &as_json, "Print JSON"),
	};
	struct opt_command command = {
		.synopsis = "[--json]",
		.description = "Ends what `rgrid fleet pause` began. Takes an admin key.",
		.options = options,
		.option_count = ARRAY_SIZE(options),
	};
	int parsed = verb_parse(call, &command, 0, 0, err);

	return parsed <= 0 ? parsed : hold(call, "/api/v1/fleet/resume", NULL, as_json, err);
}

int verb_fleet_status(struct verb_call *call, struct error *err)
{
	CLEANUP(cleanup_session) struct session session = {0};
	CLEANUP(cleanup_json) json_t *fleet = NULL;
	bool as_json = false;
	const struct opt options[] = {
		OPT_FLAG(0, "json", &as_json, "Print JSON"),
	};
	struct opt_command command = {
		.synopsis = "[--json]",
		.description = "How many workers there are, whether new ones are created, what "
			       "waits and why, and the limits that the fleet keeps to.",
		.options = options,
		.option_count = ARRAY_SIZE(options),
	};
	int parsed = verb_parse(call, &command, 0, 0, err);

	if (parsed <= 0)
		return parsed;
	if (session_open(call, &session, err) != 0 ||
	    api_get(session.api, "/api/v1/fleet", &fleet, err) != 0)
		return -1;
	return print_fleet(&session, fleet, as_json, err);
}
