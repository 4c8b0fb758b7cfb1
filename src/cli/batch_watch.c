#include "cli/batch_watch.h"

#include "base/clock.h"
#include "base/encode.h"
#include "base/fs.h"
#include "base/str.h"
#include "cli/interrupt.h"
#include "cli/job_view.h"
#include "cli/outputs.h"
#include "cli/progress.h"
#include "cli/spending.h"
#include "cli/verdict.h"
#include "cli/watch.h"

#define POLL_FIRST_MS	100
#define POLL_MAX_MS	1000
#define PLAIN_EVERY_MS	10000
#define REDRAW_EVERY_MS 100
/* How long after the end of a batch its last results are waited for. */
#define RESULTS_LAG_MAX_MS 5000
#define COUNT_EVERY_MS	   500
#define PAGE		   200
#define TEXT_BYTES_MAX	   4096
#define NAME_BYTES	   (FS_PATH_BYTES_MAX + 1)

struct batch_watch {
	struct session *session;
	const char *batch_id;
	const struct batch_watch_options *options;
	struct outputs outputs;
	struct progress progress;
	struct eta eta;
	struct spending spending;
	char *why_cancelled; /* the message of the first job that was; NULL: none */
	char *cursor;	     /* of the results; NULL before the first page */
	uint64_t started_ms;
	uint64_t plain_at_ms; /* when a plain line was last printed */
	uint64_t redrawn_ms;
	uint64_t counted_ms;
	uint64_t seen;	       /* results so far */
	uint64_t rgrid_failed; /* jobs that failed for no fault of theirs, or without outputs */
	bool ended;
};

static void batch_watch_init(struct batch_watch *watch, struct session *session,
			     const char *batch_id, const struct batch_watch_options *options)
{
	*watch = (struct batch_watch){
		.session = session,
		.batch_id = batch_id,
		.options = options,
		.started_ms = clock_boottime_ms(),
	};
	watch->plain_at_ms = watch->started_ms;
	outputs_init(&watch->outputs, session->api,
		     options->output_directory ? options->output_directory : ".");
}

static void batch_watch_release(struct batch_watch *watch)
{
	outputs_release(&watch->outputs);
	free(watch->cursor);
	free(watch->why_cancelled);
}

/* The name that a job's outputs go by: its own if it is a usable path, else its place in the batch.
 */
static void item_name(const json_t *job, char out[NAME_BYTES])
{
	const char *name = api_text(job, "name");
	struct error ignored;

	if (name && fs_path_check_relative(name, &ignored) == 0)
		(void)snprintf(out, NAME_BYTES, "%s", name);
	else
		(void)snprintf(out, NAME_BYTES, "%06lld",
			       (long long)api_number(job, "batch_index") + 1);
}

static void show_progress(struct batch_watch *watch, bool force)
{
	struct terminal *terminal = watch->session->terminal;
	uint64_t now_ms = clock_boottime_ms();
	CLEANUP(cleanup_buf) struct buf text = {0};

	buf_init(&text, TEXT_BYTES_MAX);
	if (terminal->err_is_tty) {
		if (!force && now_ms - watch->redrawn_ms < REDRAW_EVERY_MS)
			return;
		watch->redrawn_ms = now_ms;
		progress_line(&watch->progress, &watch->eta, terminal, terminal_columns(), &text);
		terminal_line(terminal, text.data);
	} else if (now_ms - watch->plain_at_ms >= PLAIN_EVERY_MS) {
		watch->plain_at_ms = now_ms;
		progress_sentence(&watch->progress, &watch->eta, &text);
		terminal_note(terminal, "%s", text.data);
	}
}

/* "failed a.csv: exit 3, job_06…: ValueError: bad row" */
static void name_failure(struct batch_watch *watch, const json_t *job, const char *name)
{
	struct terminal *terminal = watch->session->terminal;
	const char *id = api_text(job, "id");
	const char *message = api_text(job, "message");
	CLEANUP(cleanup_buf) struct buf last = {0};
	CLEANUP(cleanup_buf) struct buf text = {0};
	char outcome[64];

	buf_init(&last, TEXT_BYTES_MAX);
	buf_init(&text, TEXT_BYTES_MAX);
	view_outcome(job, outcome, sizeof(outcome));
	if (watch->options->output_directory)
		outputs_last_error_line(&watch->outputs, name, &last);
	if (last.bytes == 0 && message && !str_has_prefix(outcome, "exit"))
		buf_append_str(&last, message);
	buf_appendf(&text, "%sfailed%s ", terminal_err_style(terminal, STYLE_RED),
		    terminal_err_style(terminal, STYLE_RESET));
	terminal_clean(&text, name);
	buf_append_str(&text, ": ");
	terminal_clean(&text, outcome[0] ? outcome : "no result");
	buf_appendf(&text, "%s, ", terminal_err_style(terminal, STYLE_DIM));
	terminal_clean(&text, id ? id : "?");
	buf_append_str(&text, terminal_err_style(terminal, STYLE_RESET));
	if (last.bytes > 0)
		buf_append_str(&text, ": ");
	terminal_clean(&text, last.data);
	terminal_say(terminal, text.data);
}

static int fetch_job(struct batch_watch *watch, const json_t *job, const char *name,
		     struct error *err)
{
	const char *id = api_text(job, "id");

	if (outputs_fetch_logs(&watch->outputs, job, name, err) != 0)
		return -1;
	if (watch->options->flat)
		return outputs_fetch_flat(&watch->outputs, id, name, err);
	return outputs_fetch(&watch->outputs, id, name, NULL, err);
}

/* One ended job. Interruption is the only reason to stop; what fails is counted. */
static void take_result(struct batch_watch *watch, const json_t *job)
{
	const char *state = api_text(job, "state");
	char name[NAME_BYTES];
	struct error err = {0};

	if (!api_text(job, "id"))
		return;
	item_name(job, name);
	watch->seen++;
	if (watch->options->output_directory && fetch_job(watch, job, name, &err) != 0 &&
	    !interrupt_signal()) {
		watch->rgrid_failed++;
		error_wrap(&err, "cannot fetch the outputs of %s", name);
		terminal_error(watch->session->terminal, &err);
	}
	if (state && str_eq(state, "cancelled") && !watch->why_cancelled &&
	    api_text(job, "message"))
		watch->why_cancelled = xstrdup(api_text(job, "message"));
	if (state && str_eq(state, "failed")) {
		name_failure(watch, job, name);
		if (verdict_exit_code(job) == EXIT_RGRID_FAILED)
			watch->rgrid_failed++;
	}
	show_progress(watch, false);
}

static int take_counts(struct batch_watch *watch, struct error *err)
{
	CLEANUP(cleanup_free) char *path = api_path("batches", watch->batch_id, "");
	CLEANUP(cleanup_json) json_t *batch = NULL;
	const char *state;

	if (api_get(watch->session->api, path, &batch, err) != 0)
		return -1;
	state = api_text(batch, "state");
	if (!state)
		return error_set(err, ERR_UNAVAILABLE, "the server's batch is garbled");
	watch->counted_ms = clock_boottime_ms();
	watch->ended = !str_eq(state, "running");
	progress_read(batch, &watch->progress);
	if (!watch->ended)
		spending_note(&watch->spending, watch->session->terminal, batch, watch->batch_id);
	eta_note(&watch->eta, clock_boottime_ms() - watch->started_ms,
		 progress_done(&watch->progress));
	show_progress(watch, true);
	return 0;
}

/* One page of results. *ret_count 0: nothing new. */
static int take_page(struct batch_watch *watch, size_t *ret_count, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf suffix = {0};
	CLEANUP(cleanup_free) char *path = NULL;
	CLEANUP(cleanup_json) json_t *page = NULL;
	const json_t *items;
	const json_t *job;
	const char *next;
	size_t index;

	buf_init(&suffix, TEXT_BYTES_MAX);
	buf_appendf(&suffix, "/results?limit=%d", PAGE);
	if (watch->cursor) {
		buf_append_str(&suffix, "&cursor=");
		url_encode(&suffix, watch->cursor, false);
	}
	path = api_path("batches", watch->batch_id, suffix.data);
	if (api_get(watch->session->api, path, &page, err) != 0)
		return -1;
	items = json_object_get(page, "items");
	next = api_text(page, "next_cursor");
	if (!json_is_array(items) || (!next && json_array_size(items) > 0))
		return error_set(err, ERR_UNAVAILABLE, "the server's list of results is garbled");
	json_array_foreach (items, index, job) {
		if (interrupt_signal())
			return 0;
		take_result(watch, job);
		if (clock_boottime_ms() - watch->counted_ms >= COUNT_EVERY_MS &&
		    take_counts(watch, err) != 0)
			return -1;
	}
	if (next) {
		free(watch->cursor);
		watch->cursor = xstrdup(next);
	}
	*ret_count = json_array_size(items);
	return 0;
}

/* Results may come a moment after the counts that include them, but not for ever. */
static bool has_all(const struct batch_watch *watch, uint64_t news_ms)
{
	return watch->ended && (watch->seen >= progress_done(&watch->progress) ||
				clock_boottime_ms() - news_ms >= RESULTS_LAG_MAX_MS);
}

/* Counts first: once they say that the batch has ended, an empty page is the last one. */
static int watch_until_end(struct batch_watch *watch, struct error *err)
{
	uint64_t wait_ms = POLL_FIRST_MS;
	uint64_t news_ms = clock_boottime_ms();

	for (;;) {
		size_t count, taken = 0;

		if (take_counts(watch, err) != 0)
			return -1;
		do {
			count = 0;
			if (take_page(watch, &count, err) != 0)
				return -1;
			taken += count;
		} while (count > 0 && !interrupt_signal());
		if (taken > 0) {
			wait_ms = POLL_FIRST_MS;
			news_ms = clock_boottime_ms();
		}
		if (interrupt_signal() || (taken == 0 && has_all(watch, news_ms)))
			return 0;
		interrupt_wait_ms(wait_ms);
		wait_ms = wait_ms * 3 / 2 < POLL_MAX_MS ? wait_ms * 3 / 2 : POLL_MAX_MS;
	}
}

static int summarise(struct batch_watch *watch)
{
	struct terminal *terminal = watch->session->terminal;
	const struct progress *progress = &watch->progress;
	char duration[32], bytes[32];

	terminal_line_clear(terminal);
	terminal_note(terminal, "%llu jobs in %s: %llu completed, %llu failed, %llu cancelled",
		      (unsigned long long)progress->total,
		      format_duration(clock_boottime_ms() - watch->started_ms, duration,
				      sizeof(duration)),
		      (unsigned long long)progress->completed, (unsigned long long)progress->failed,
		      (unsigned long long)progress->cancelled);
	if (watch->why_cancelled)
		terminal_note(terminal, "%s", watch->why_cancelled);
	if (watch->outputs.file_count > 0)
		terminal_note(terminal, "%llu output files (%s) in %s",
			      (unsigned long long)watch->outputs.file_count,
			      format_bytes(watch->outputs.total_bytes, bytes, sizeof(bytes)),
			      watch->options->output_directory);
	if (progress->failed > 0)
		terminal_hint(terminal,
			      "run the failed ones again: rgrid retry --batch %s --failed",
			      watch->batch_id);
	if (watch->rgrid_failed > 0)
		return EXIT_RGRID_FAILED;
	return progress->completed == progress->total ? 0 : EXIT_SOME_FAILED;
}

int batch_watch(struct session *session, const char *batch_id,
		const struct batch_watch_options *options, struct error *err)
{
	CLEANUP(batch_watch_release) struct batch_watch watch;
	CLEANUP(cleanup_free) char *cancel_path = api_path("batches", batch_id, "/cancel");
	CLEANUP(cleanup_free)
	char *attach = options->output_directory
			       ? xasprintf("--output-dir %s %s", options->output_directory,
					   options->flat ? "--flat " : "")
			       : xstrdup("");

	batch_watch_init(&watch, session, batch_id, options);
	interrupt_install();
	if (watch_until_end(&watch, err) != 0 && !interrupt_signal())
		return watch_failed(session, batch_id, attach, err);
	if (interrupt_signal())
		return watch_interrupted(session, cancel_path, batch_id, attach,
					 options->cancel_on_interrupt);
	return summarise(&watch);
}

int batch_fetch(struct session *session, const char *batch_id,
		const struct batch_watch_options *options, uint64_t *ret_job_count,
		struct error *err)
{
	CLEANUP(batch_watch_release) struct batch_watch watch;
	size_t count;

	batch_watch_init(&watch, session, batch_id, options);
	if (take_counts(&watch, err) != 0)
		return -1;
	do {
		count = 0;
		if (take_page(&watch, &count, err) != 0)
			return -1;
	} while (count > 0);
	terminal_line_clear(session->terminal);
	if (watch.rgrid_failed > 0 && watch.seen == 0)
		return error_set(err, ERR_INTERNAL, "no outputs could be fetched");
	*ret_job_count = watch.seen;
	return 0;
}
