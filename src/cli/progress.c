#include "cli/progress.h"

#include <stdbool.h>

#include "base/str.h"
#include "cli/api_client.h"

#define BAR_CELLS_MAX 30
#define BAR_CELLS_MIN 8
#define TEXT_CELLS    58 /* what the rest of the line takes at most */

static uint64_t count_of(const json_t *counts, const char *name)
{
	int64_t number = api_number(counts, name);

	return number > 0 ? (uint64_t)number : 0;
}

void progress_read(const json_t *batch, struct progress *ret)
{
	const json_t *counts = json_object_get(batch, "counts");

	*ret = (struct progress){
		.total = count_of(counts, "total"),
		.completed = count_of(counts, "completed"),
		.failed = count_of(counts, "failed"),
		.cancelled = count_of(counts, "cancelled"),
		.running = count_of(counts, "running"),
	};
}

uint64_t progress_done(const struct progress *progress)
{
	return progress->completed + progress->failed + progress->cancelled;
}

static bool speaks_utf8(void)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *value = getenv(names[i]);

		if (value && value[0])
			return strcasestr(value, "UTF-8") || strcasestr(value, "UTF8");
	}
	return false;
}

static void append_bar(struct buf *out, uint64_t done, uint64_t total, unsigned cells,
		       const struct terminal *terminal)
{
	bool utf8 = speaks_utf8();
	unsigned full = total == 0 ? 0 : (unsigned)(done >= total ? cells : done * cells / total);

	buf_append_str(out, terminal_err_style(terminal, STYLE_CYAN));
	for (unsigned i = 0; i < full; i++)
		buf_append_str(out, utf8 ? "\u2501" : "=");
	buf_append_str(out, terminal_err_style(terminal, STYLE_RESET));
	buf_append_str(out, terminal_err_style(terminal, STYLE_DIM));
	for (unsigned i = full; i < cells; i++)
		buf_append_str(out, utf8 ? "\u254c" : "-");
	buf_append_str(out, terminal_err_style(terminal, STYLE_RESET));
}

/* Two units at most: more digits of an estimate are noise. */
static void append_left(struct buf *out, uint64_t left_ms)
{
	unsigned long long seconds = (left_ms + 999) / 1000;

	if (seconds < 60)
		buf_appendf(out, "%llus left", seconds);
	else if (seconds < 3600)
		buf_appendf(out, "%llum %02llus left", seconds / 60, seconds % 60);
	else
		buf_appendf(out, "%lluh %02llum left", seconds / 3600, seconds / 60 % 60);
}

static void append_rate(struct buf *out, const struct eta *eta, uint64_t total,
			const char *separator)
{
	uint64_t rate_milli = eta_rate_milli(eta);
	uint64_t left_ms;

	if (rate_milli > 0 && rate_milli < 100000)
		buf_appendf(out, "%s%llu.%llu/s", separator, (unsigned long long)rate_milli / 1000,
			    (unsigned long long)rate_milli / 100 % 10);
	else if (rate_milli > 0)
		buf_appendf(out, "%s%llu/s", separator, (unsigned long long)rate_milli / 1000);
	if (eta_left_ms(eta, total, &left_ms) && left_ms > 0) {
		buf_append_str(out, separator);
		append_left(out, left_ms);
	}
}

void progress_line(const struct progress *progress, const struct eta *eta,
		   const struct terminal *terminal, unsigned columns, struct buf *out)
{
	unsigned cells = columns > TEXT_CELLS ? columns - TEXT_CELLS : 0;

	buf_appendf(out, "%llu/%llu ", (unsigned long long)progress_done(progress),
		    (unsigned long long)progress->total);
	if (cells > BAR_CELLS_MAX)
		cells = BAR_CELLS_MAX;
	if (cells >= BAR_CELLS_MIN)
		append_bar(out, progress_done(progress), progress->total, cells, terminal);
	buf_appendf(out, "  %llu running", (unsigned long long)progress->running);
	if (progress->failed > 0)
		buf_appendf(out, "  %s%llu failed%s", terminal_err_style(terminal, STYLE_RED),
			    (unsigned long long)progress->failed,
			    terminal_err_style(terminal, STYLE_RESET));
	append_rate(out, eta, progress->total, "  ");
}

void progress_sentence(const struct progress *progress, const struct eta *eta, struct buf *out)
{
	buf_appendf(out, "%llu of %llu done, %llu failed, %llu running",
		    (unsigned long long)progress_done(progress),
		    (unsigned long long)progress->total, (unsigned long long)progress->failed,
		    (unsigned long long)progress->running);
	append_rate(out, eta, progress->total, ", ");
}
