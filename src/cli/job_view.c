#include "cli/job_view.h"

#include "base/clock.h"
#include "base/str.h"
#include "cli/api_client.h"
#include "cli/money.h"
#include "cli/table.h"
#include "cli/when.h"
#include "core/job.h"

#define LABEL_COLUMNS 10
#define SHORT_BYTES   32

enum style view_state_style(const char *state)
{
	static const struct {
		const char *state;
		enum style style;
	} styles[] = {
		{"queued", STYLE_YELLOW},
		{"running", STYLE_CYAN},
		{"completed", STYLE_GREEN},
		{"failed", STYLE_RED},
		{"cancelled", STYLE_DIM},
		{"active", STYLE_GREEN},
		{"provisioning", STYLE_YELLOW},
		{"draining", STYLE_YELLOW},
		{"dead", STYLE_RED},
		{"terminated", STYLE_DIM},
	};

	for (size_t i = 0; state && i < ARRAY_SIZE(styles); i++) {
		if (str_eq(styles[i].state, state))
			return styles[i].style;
	}
	return STYLE_RESET;
}

void view_duration(const char *started_at, const char *finished_at, char *out, size_t size)
{
	int64_t from_us, to_us = clock_wall_us();

	out[0] = '\0';
	if (!started_at || !when_parse(started_at, &from_us) ||
	    (finished_at && !when_parse(finished_at, &to_us)))
		return;
	format_duration(to_us > from_us ? (uint64_t)(to_us - from_us) / 1000 : 0, out, size);
}

void view_outcome(const json_t *job, char *out, size_t size)
{
	const char *outcome = api_text(job, "outcome");
	const json_t *exit_code = json_object_get(job, "exit_code");

	out[0] = '\0';
	if (!outcome)
		return;
	if ((str_eq(outcome, outcome_name(OUTCOME_FAILED)) ||
	     str_eq(outcome, outcome_name(OUTCOME_COMPLETED))) &&
	    json_is_integer(exit_code)) {
		(void)snprintf(out, size, "exit %" JSON_INTEGER_FORMAT,
			       json_integer_value(exit_code));
		return;
	}
	(void)snprintf(out, size, "%s", outcome);
	for (char *at = out; *at; at++)
		if (*at == '_')
			*at = ' ';
}

static void line(struct buf *out, const struct terminal *terminal, const char *label,
		 const char *value, enum style style)
{
	if (!value || !value[0])
		return;
	buf_appendf(out, "%s%-*s%s ", terminal_out_style(terminal, STYLE_DIM), LABEL_COLUMNS, label,
		    terminal_out_style(terminal, STYLE_RESET));
	if (style)
		buf_append_str(out, terminal_out_style(terminal, style));
	terminal_clean(out, value);
	if (style)
		buf_append_str(out, terminal_out_style(terminal, STYLE_RESET));
	buf_append_char(out, '\n');
}

static void line_time(struct buf *out, const struct terminal *terminal, const char *label,
		      const json_t *object, const char *member)
{
	char when[WHEN_BYTES];

	line(out, terminal, label, when_show(api_text(object, member), terminal->out_is_tty, when),
	     0);
}

static void line_labels(struct buf *out, const struct terminal *terminal, const json_t *object)
{
	CLEANUP(cleanup_buf) struct buf text = {0};
	const json_t *value;
	const char *key;

	buf_init(&text, 16384);
	json_object_foreach (json_object_get(object, "labels"), key, value)
		buf_appendf(&text, "%s%s=%s", text.bytes ? " " : "", key,
			    json_is_string(value) ? json_string_value(value) : "");
	line(out, terminal, "labels", text.data, 0);
}

static void line_usage(struct buf *out, const struct terminal *terminal, const json_t *job)
{
	const json_t *usage = json_object_get(job, "usage");
	char text[128], cpu[SHORT_BYTES], memory[SHORT_BYTES];

	if (!json_is_object(usage))
		return;
	(void)snprintf(
		text, sizeof(text), "%s CPU, %s memory at most",
		format_duration((uint64_t)api_number(usage, "cpu_us") / 1000, cpu, sizeof(cpu)),
		format_bytes((uint64_t)api_number(usage, "memory_peak_bytes"), memory,
			     sizeof(memory)));
	line(out, terminal, "used", text, 0);
}

/* "python process.py input.csv --fast" */
static void line_command(struct buf *out, const struct terminal *terminal, const json_t *job)
{
	const json_t *spec = json_object_get(job, "spec");
	const json_t *argument;
	CLEANUP(cleanup_buf) struct buf text = {0};
	size_t index;

	if (!json_is_object(spec))
		return;
	buf_init(&text, 16384);
	buf_appendf(&text, "%s %s", api_text(spec, "runtime") ? api_text(spec, "runtime") : "?",
		    api_text(json_object_get(spec, "script"), "name")
			    ? api_text(json_object_get(spec, "script"), "name")
			    : "?");
	json_array_foreach (json_object_get(spec, "args"), index, argument) {
		if (json_is_string(argument))
			buf_appendf(&text, " %s", json_string_value(argument));
	}
	line(out, terminal, "command", text.data, 0);
}

/* Nothing where nothing costs anything. */
static void line_money(struct buf *out, const struct terminal *terminal, const char *name,
		       const json_t *item, const char *member)
{
	char text[MONEY_BYTES];

	if (api_number(item, member) > 0)
		line(out, terminal, name, money_format(api_number(item, member), text), 0);
}

void view_job(const json_t *job, const struct terminal *terminal, struct buf *out)
{
	const char *state = api_text(job, "state");
	char text[SHORT_BYTES * 4], duration[SHORT_BYTES], outcome[SHORT_BYTES];

	line(out, terminal, "job", api_text(job, "id"), STYLE_BOLD);
	line(out, terminal, "name", api_text(job, "name"), 0);
	view_outcome(job, outcome, sizeof(outcome));
	(void)snprintf(text, sizeof(text), "%s%s%s%s", state ? state : "unknown",
		       outcome[0] && !str_eq(outcome, state ? state : "") ? " (" : "",
		       outcome[0] && !str_eq(outcome, state ? state : "") ? outcome : "",
		       outcome[0] && !str_eq(outcome, state ? state : "") ? ")" : "");
	line(out, terminal, "state", text, view_state_style(state));
	line(out, terminal, "reason", api_text(job, "reason"), 0);
	line(out, terminal, "message", api_text(job, "message"), 0);
	line_command(out, terminal, job);
	line_time(out, terminal, "created", job, "created_at");
	line_time(out, terminal, "started", job, "started_at");
	line_time(out, terminal, "ended", job, "finished_at");
	view_duration(api_text(job, "started_at"), api_text(job, "finished_at"), duration,
		      sizeof(duration));
	line(out, terminal, "duration", duration, 0);
	if (api_number(job, "attempt") > 1) {
		(void)snprintf(text, sizeof(text), "%lld", (long long)api_number(job, "attempt"));
		line(out, terminal, "attempt", text, 0);
	}
	line(out, terminal, "worker", api_text(job, "worker_id"), 0);
	line(out, terminal, "batch", api_text(job, "batch_id"), 0);
	line_usage(out, terminal, job);
	line_money(out, terminal, "cost", job, "cost_micros");
	line_labels(out, terminal, job);
}

static long long count_of(const json_t *batch, const char *name)
{
	return (long long)api_number(json_object_get(batch, "counts"), name);
}

void view_batch(const json_t *batch, const struct terminal *terminal, struct buf *out)
{
	const char *state = api_text(batch, "state");
	char text[160];

	line(out, terminal, "batch", api_text(batch, "id"), STYLE_BOLD);
	line(out, terminal, "name", api_text(batch, "name"), 0);
	line(out, terminal, "state", state, view_state_style(state));
	(void)snprintf(text, sizeof(text),
		       "%lld: %lld completed, %lld failed, %lld cancelled, %lld running, %lld "
		       "queued",
		       count_of(batch, "total"), count_of(batch, "completed"),
		       count_of(batch, "failed"), count_of(batch, "cancelled"),
		       count_of(batch, "running"), count_of(batch, "queued"));
	line(out, terminal, "jobs", text, 0);
	if (api_number(batch, "parallel") > 0) {
		(void)snprintf(text, sizeof(text), "at most %lld at a time",
			       (long long)api_number(batch, "parallel"));
		line(out, terminal, "parallel", text, 0);
	}
	line_money(out, terminal, "cost", batch, "cost_micros");
	line_money(out, terminal, "cost limit", batch, "max_cost_micros");
	line_time(out, terminal, "created", batch, "created_at");
	line_labels(out, terminal, batch);
}

void view_jobs(const json_t *items, const struct terminal *terminal, struct buf *out)
{
	static const char *const headings[] = {"JOB",	  "STATE",    "RESULT",
					       "CREATED", "DURATION", "NAME"};
	CLEANUP(cleanup_table) struct table *table = table_new(headings, ARRAY_SIZE(headings));
	const json_t *job;
	size_t index;

	json_array_foreach (items, index, job) {
		const char *state = api_text(job, "state");
		char text[SHORT_BYTES], when[WHEN_BYTES];

		table_cell(table, api_text(job, "id"));
		table_cell_styled(table, state, view_state_style(state));
		view_outcome(job, text, sizeof(text));
		table_cell(table, text);
		table_cell(table,
			   when_show(api_text(job, "created_at"), terminal->out_is_tty, when));
		view_duration(api_text(job, "started_at"), api_text(job, "finished_at"), text,
			      sizeof(text));
		table_cell(table, text);
		table_cell(table, api_text(job, "name"));
	}
	table_render(table, terminal, out);
}

void view_batches(const json_t *items, const struct terminal *terminal, struct buf *out)
{
	static const char *const headings[] = {"BATCH",	 "STATE",   "JOBS",    "DONE",
					       "FAILED", "RUNNING", "CREATED", "NAME"};
	static const char *const counts[] = {"total", "completed", "failed", "running"};
	CLEANUP(cleanup_table) struct table *table = table_new(headings, ARRAY_SIZE(headings));
	const json_t *batch;
	size_t index;

	json_array_foreach (items, index, batch) {
		const char *state = api_text(batch, "state");
		char text[SHORT_BYTES], when[WHEN_BYTES];

		table_cell(table, api_text(batch, "id"));
		table_cell_styled(table, state, view_state_style(state));
		for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
			(void)snprintf(text, sizeof(text), "%lld", count_of(batch, counts[i]));
			table_cell(table, text);
		}
		table_cell(table,
			   when_show(api_text(batch, "created_at"), terminal->out_is_tty, when));
		table_cell(table, api_text(batch, "name"));
	}
	table_render(table, terminal, out);
}

void view_workers(const json_t *items, const struct terminal *terminal, struct buf *out)
{
	static const char *const headings[] = {"WORKER", "STATE",   "BUSY",  "HOST",
					       "SEEN",	 "VERSION", "REASON"};
	CLEANUP(cleanup_table) struct table *table = table_new(headings, ARRAY_SIZE(headings));
	const json_t *worker;
	size_t index;

	json_array_foreach (items, index, worker) {
		const char *state = api_text(worker, "state");
		char text[SHORT_BYTES], when[WHEN_BYTES];

		table_cell(table, api_text(worker, "id"));
		table_cell_styled(table, state, view_state_style(state));
		(void)snprintf(text, sizeof(text), "%lld/%lld",
			       (long long)api_number(worker, "running"),
			       (long long)api_number(worker, "slots"));
		table_cell(table, text);
		table_cell(table, api_text(worker, "hostname"));
		table_cell(table,
			   when_show(api_text(worker, "last_seen"), terminal->out_is_tty, when));
		table_cell(table, api_text(worker, "version"));
		table_cell(table, api_text(worker, "reason"));
	}
	table_render(table, terminal, out);
}

void view_json(const json_t *json, struct buf *out)
{
	CLEANUP(cleanup_free) char *text = json_dumps(json, JSON_INDENT(2) | JSON_ENCODE_ANY);

	buf_append_str(out, text ? text : "null");
	buf_append_char(out, '\n');
}
