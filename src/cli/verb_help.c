#include "cli/verb_help.h"

#include <unistd.h>

#include "base/str.h"
#include "cli/topics.h"
#include "cli/verb.h"

#define TEXT_BYTES_MAX (1024ULL * 1024)
#define NAME_COLUMNS   15
#define HELP_COLUMNS   79

static void append_list(const struct terminal *terminal, bool to_stdout, struct buf *out)
{
	const char *(*style)(const struct terminal *, enum style) =
		to_stdout ? terminal_out_style : terminal_err_style;

	buf_append_str(out, "Runs your scripts on many machines as simply as on your own.\n\n");
	buf_appendf(out, "%sUsage:%s rgrid [--url URL] [--no-color] VERB [options] ...\n",
		    style(terminal, STYLE_BOLD), style(terminal, STYLE_RESET));
	for (size_t i = 0; i < verb_count(); i++) {
		const struct verb *verb = verb_at(i);

		if (!verb->name)
			buf_appendf(out, "\n%s%s%s\n", style(terminal, STYLE_BOLD), verb->summary,
				    style(terminal, STYLE_RESET));
		else
			buf_appendf(out, "  %s%-*s%s %s\n", style(terminal, STYLE_CYAN),
				    NAME_COLUMNS, verb->name, style(terminal, STYLE_RESET),
				    verb->summary);
	}
	buf_append_str(out, "\nrgrid help VERB explains one; topics: ");
	for (size_t i = 0; i < topic_count(); i++)
		buf_appendf(out, "%s%s", i ? ", " : "", topic_at(i)->name);
	buf_append_str(out, ".\n");
}

int verb_list_print(const struct terminal *terminal, int fd, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf text = {0};

	buf_init(&text, TEXT_BYTES_MAX);
	append_list(terminal, fd == STDOUT_FILENO, &text);
	return terminal_write(fd, text.data, text.bytes, err);
}

static void describe_help(void *context, const struct opt_command *command)
{
	opt_help(command, "rgrid", context);
}

/* Words wrapped at 80 columns; paragraphs stay apart. */
static void append_wrapped(struct buf *out, const char *text)
{
	size_t column = 0;

	while (*text) {
		size_t bytes = strcspn(text, " \n");

		if (column > 0 && column + 1 + bytes > HELP_COLUMNS) {
			buf_append_char(out, '\n');
			column = 0;
		} else if (column > 0) {
			buf_append_char(out, ' ');
			column++;
		}
		buf_append(out, text, bytes);
		column += bytes;
		text += bytes;
		if (*text == '\n') {
			buf_append_str(out, "\n\n");
			column = 0;
		}
		text += strspn(text, " \n");
	}
	buf_append_char(out, '\n');
}

static int help_for(struct verb_call *call, struct buf *out, struct error *err)
{
	int words;
	const struct verb *verb = verb_find(call->positional_count, call->positional, &words);
	const char *first = call->positional[0];

	if (verb && verb->run) {
		verb_describe(verb, call->terminal, describe_help, out);
		return 0;
	}
	if (verb) {
		buf_appendf(out,
			    "rgrid %s: %s.\nIt is served by rgridd; \"rgrid %s -h\" explains it.\n",
			    verb->name, verb->summary, verb->name);
		return 0;
	}
	for (size_t i = 0; i < topic_count(); i++) {
		if (str_eq(topic_at(i)->name, first)) {
			append_wrapped(out, topic_at(i)->text);
			return 0;
		}
	}
	for (size_t i = 0; i < verb_count() && str_eq(first, "batch"); i++) {
		if (verb_at(i)->name && str_has_prefix(verb_at(i)->name, "batch "))
			buf_appendf(out, "rgrid %-13s %s\n", verb_at(i)->name, verb_at(i)->summary);
	}
	if (out->bytes > 0)
		return 0;
	error_set(err, ERR_INVALID, "there is no verb \"%s\"", first);
	if (verb_suggest(first))
		return error_hint(err, "did you mean \"rgrid help %s\"?", verb_suggest(first));
	return error_hint(err, "\"rgrid help\" lists all verbs");
}

int verb_help(struct verb_call *call, struct error *err)
{
	struct opt_command command = {.synopsis = "[VERB | TOPIC]"};
	int parsed = verb_parse(call, &command, 0, 2, err);
	CLEANUP(cleanup_buf) struct buf text = {0};

	buf_init(&text, TEXT_BYTES_MAX);
	if (parsed <= 0)
		return parsed;
	if (call->positional_count == 0)
		return verb_list_print(call->terminal, STDOUT_FILENO, err);
	if (help_for(call, &text, err) != 0)
		return -1;
	return terminal_write(STDOUT_FILENO, text.data, text.bytes, err);
}
