#include <inttypes.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/job_view.h"
#include "cli/money.h"
#include "cli/session.h"
#include "cli/table.h"
#include "cli/target.h"
#include "core/limits.h"

#define TEXT_BYTES_MAX (4 * MIB)
#define SHORT_BYTES    64

static void append_days(const json_t *days, const struct terminal *terminal, struct buf *out)
{
	static const char *const headings[] = {"DAY", "JOBS", "TIME", "COST"};
	CLEANUP(cleanup_table) struct table *table = table_new(headings, ARRAY_SIZE(headings));
	const json_t *day;
	size_t index;

	if (json_array_size(days) == 0) {
		buf_append_str(out, "no job has run in these days\n");
		return;
	}
	json_array_foreach (days, index, day) {
		char text[SHORT_BYTES];
		char money[MONEY_BYTES];

		table_cell(table, api_text(day, "day"));
		(void)snprintf(text, sizeof(text), "%" PRId64, api_number(day, "attempts"));
		table_cell(table, text);
		table_cell(table, format_duration((uint64_t)api_number(day, "run_us") / 1000, text,
						  sizeof(text)));
		table_cell(table, money_format(api_number(day, "cost_micros"), money));
	}
	table_render(table, terminal, out);
}

static void append_amount(struct buf *out, const char *what, const json_t *object,
			  const char *member)
{
	char money[MONEY_BYTES];

	buf_appendf(out, "%-12s %s\n", what, money_format(api_number(object, member), money));
}

static void append_month(const json_t *month, struct buf *out)
{
	const json_t *fleet = json_object_get(month, "fleet");
	const char *status = api_text(month, "status");

	append_amount(out, "this month", month, "cost_micros");
	if (json_is_integer(json_object_get(month, "monthly_limit_micros")))
		append_amount(out, "limit", month, "monthly_limit_micros");
	if (status && str_eq(status, "held"))
		buf_append_str(out,
			       "             reached: jobs wait until it is raised, or a new month "
			       "begins; none is lost\n");
	if (status && str_eq(status, "warning"))
		buf_append_str(out, "             80 % of it are spent; at 100 % new jobs wait\n");
	if (api_number(fleet, "paid_micros") == 0)
		return;
	append_amount(out, "fleet's bill", fleet, "paid_micros");
	append_amount(out, "  for jobs", fleet, "jobs_micros");
	append_amount(out, "  idle", fleet, "idle_micros");
}

static int show_cost(struct session *session, const char *since, const char *until, bool as_json,
		     struct error *err)
{
	CLEANUP(cleanup_json) json_t *cost = NULL;
	CLEANUP(cleanup_buf) struct buf text = {0};
	CLEANUP(cleanup_buf) struct buf path = {0};

	buf_init(&text, TEXT_BYTES_MAX);
	buf_init(&path, SHORT_BYTES * 8);
	buf_append_str(&path, "/api/v1/cost");
	if (since || until)
		buf_appendf(&path, "?%s%s%s%s%s", since ? "since=" : "", since ? since : "",
			    since && until ? "&" : "", until ? "until=" : "", until ? until : "");
	if (api_get(session->api, path.data, &cost, err) != 0)
		return -1;
	if (as_json) {
		view_json(cost, &text);
	} else {
		append_days(json_object_get(cost, "days"), session->terminal, &text);
		buf_append_char(&text, '\n');
		append_month(json_object_get(cost, "month"), &text);
	}
	return terminal_write(STDOUT_FILENO, text.data, text.bytes, err);
}

/* One job or batch. */
static int show_item(struct session *session, const char *id, bool as_json, struct error *err)
{
	CLEANUP(cleanup_free) char *path = api_path(target_collection(id), id, "");
	CLEANUP(cleanup_json) json_t *item = NULL;
	CLEANUP(cleanup_json) json_t *cost = NULL;
	CLEANUP(cleanup_buf) struct buf text = {0};

	buf_init(&text, TEXT_BYTES_MAX);
	if (api_get(session->api, path, &item, err) != 0)
		return -1;
	json_t *limit = json_object_get(item, "max_cost_micros");
	cost = json_pack("{s:O?, s:O?, s:I}", "id", json_object_get(item, "id"), "state",
			 json_object_get(item, "state"), "cost_micros",
			 (json_int_t)api_number(item, "cost_micros"));
	if (target_is_batch(id))
		json_object_set(cost, "max_cost_micros", limit);
	if (as_json) {
		view_json(cost, &text);
	} else {
		buf_appendf(&text, "%-12s ", target_is_batch(id) ? "batch" : "job");
		terminal_clean(&text, api_text(item, "id") ? api_text(item, "id") : "?");
		buf_append_str(&text, "\nstate        ");
		terminal_clean(&text, api_text(item, "state") ? api_text(item, "state") : "?");
		buf_append_char(&text, '\n');
		append_amount(&text, "cost", item, "cost_micros");
		if (json_is_integer(limit))
			append_amount(&text, "limit", item, "max_cost_micros");
	}
	return terminal_write(STDOUT_FILENO, text.data, text.bytes, err);
}

int verb_cost(struct verb_call *call, struct error *err)
{
	CLEANUP(cleanup_session) struct session session = {0};
	const char *since = NULL, *until = NULL;
	bool as_json = false;
	const struct opt options[] = {
		OPT_STR(0, "since", "DAY", &since, "First day, such as 2026-11-01", NULL),
		OPT_STR(0, "until", "DAY", &until, "Last day (default: today)", NULL),
		OPT_FLAG(0, "json", &as_json, "Print JSON"),
	};
	struct opt_command command = {
		.synopsis = "[options] [ID]",
		.description = "What the project's jobs have cost by day, this month beside its "
			       "limit, and what the fleet was paid for without being used; or what "
			       "one job or batch has cost. A job costs its share of its worker's "
			       "paid time, net of tax.",
		.examples = "  rgrid cost\n  rgrid cost --since 2026-11-01 --json\n  rgrid cost "
			    "last\n",
		.options = options,
		.option_count = ARRAY_SIZE(options),
	};
	int parsed = verb_parse(call, &command, 0, 1, err);

	if (parsed <= 0)
		return parsed;
	if (call->positional_count > 0 && (since || until))
		return error_set(err, ERR_INVALID,
				 "--since and --until are for the project's days, "
				 "not for one job or batch");
	if (session_open(call, &session, err) != 0)
		return -1;
	if (call->positional_count > 0)
		return show_item(&session, call->positional[0], as_json, err);
	return show_cost(&session, since, until, as_json, err);
}

static int set_limit(struct session *session, const char *amount, json_t **ret, struct error *err)
{
	uint64_t micros = 0;

	if (!str_eq(amount, "none") && money_parse(amount, LIMIT_MONEY_MICROS, &micros, err) < 0)
		return -1;
	CLEANUP(cleanup_json)
	json_t *body =
		json_pack("{s:o}", "monthly_limit_micros",
			  str_eq(amount, "none") ? json_null() : json_integer((json_int_t)micros));
	CLEANUP(cleanup_free) char *text = json_to_text(body);
	struct api_request request = {.method = "PUT",
				      .path = "/api/v1/cost/limit",
				      .body = text,
				      .body_bytes = strlen(text)};

	return api_json(session->api, &request, ret, err);
}

int verb_cost_limit(struct verb_call *call, struct error *err)
{
	CLEANUP(cleanup_session) struct session session = {0};
	CLEANUP(cleanup_json) json_t *cost = NULL;
	CLEANUP(cleanup_json) json_t *month = NULL;
	CLEANUP(cleanup_buf) struct buf text = {0};
	struct opt_command command = {
		.synopsis = "[AMOUNT | none]",
		.description = "Shows or sets what the project's jobs may cost in a calendar "
			       "month. At 80 % it warns; at 100 % new jobs wait, and none is "
			       "lost. Setting it takes an admin key.",
		.examples = "  rgrid cost limit 50\n  rgrid cost limit none\n",
	};
	int parsed = verb_parse(call, &command, 0, 1, err);

	if (parsed <= 0)
		return parsed;
	buf_init(&text, TEXT_BYTES_MAX);
	if (session_open(call, &session, err) != 0)
		return -1;
	if (call->positional_count > 0) {
		if (set_limit(&session, call->positional[0], &month, err) != 0)
			return -1;
	} else {
		if (api_get(session.api, "/api/v1/cost", &cost, err) != 0)
			return -1;
		month = json_incref(json_object_get(cost, "month"));
	}
	append_month(month, &text);
	return terminal_write(STDOUT_FILENO, text.data, text.bytes, err);
}

int verb_estimate(struct verb_call *call, struct error *err)
{
	CLEANUP(cleanup_session) struct session session = {0};
	CLEANUP(cleanup_json) json_t *answer = NULL;
	CLEANUP(cleanup_buf) struct buf text = {0};
	char amount[SHORT_BYTES];
	char money[MONEY_BYTES];
	uint64_t jobs = 1;
	const char *runtime = "python";
	bool as_json = false;
	const struct opt options[] = {
		OPT_STR(0, "runtime", "NAME", &runtime, "Runtime of the jobs (default python)",
			"runtime"),
		OPT_U64('n', "jobs", "N", &jobs, 1, LIMIT_ESTIMATE_JOBS, "How many jobs"),
		OPT_FLAG(0, "json", &as_json, "Print JSON"),
	};
	struct opt_command command = {
		.synopsis = "[options]",
		.description = "What so many jobs would take and cost, from the project's own "
			       "runs of the last 30 days and today's price of a server. Idle "
			       "time of started hours comes on top.",
		.examples = "  rgrid estimate --runtime python --jobs 500\n",
		.options = options,
		.option_count = ARRAY_SIZE(options),
	};
	int parsed = verb_parse(call, &command, 0, 0, err);

	if (parsed <= 0)
		return parsed;
	buf_init(&text, TEXT_BYTES_MAX);
	CLEANUP(cleanup_free)
	char *path = xasprintf("/api/v1/estimate?runtime=%s&jobs=%" PRIu64, runtime, jobs);
	if (session_open(call, &session, err) != 0 || api_get(session.api, path, &answer, err) != 0)
		return -1;
	if (as_json) {
		view_json(answer, &text);
		return terminal_write(STDOUT_FILENO, text.data, text.bytes, err);
	}
	(void)format_duration((uint64_t)api_number(answer, "run_us") / 1000, amount,
			      sizeof(amount));
	buf_appendf(&text, "one job      %s%s\n", amount,
		    api_number(answer, "known_runs") > 0 ? ", the median of the last runs"
							 : ", a guess: none has run yet");
	(void)format_duration((uint64_t)api_number(answer, "total_run_us") / 1000, amount,
			      sizeof(amount));
	buf_appendf(&text, "all          %s on one slot\n", amount);
	if (api_number(answer, "price_hour_micros") > 0)
		buf_appendf(&text, "cost         %s net on %s\n",
			    money_format(api_number(answer, "cost_micros"), money),
			    api_text(answer, "server") ? api_text(answer, "server") : "?");
	else
		buf_append_str(&text,
			       "cost         nothing: workers of this grid are not paid for\n");
	return terminal_write(STDOUT_FILENO, text.data, text.bytes, err);
}
