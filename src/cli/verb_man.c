#include <unistd.h>

#include "cli/topics.h"
#include "cli/verb.h"

#define TEXT_BYTES_MAX (1024ULL * 1024)

static void describe_man(void *context, const struct opt_command *command)
{
	opt_man(command, "rgrid", context);
}

static void append_man_topics(struct buf *out)
{
	for (size_t i = 0; i < topic_count(); i++) {
		const char *text = topic_at(i)->text;

		buf_appendf(out, ".SH %s\n", topic_at(i)->heading);
		while (*text) {
			size_t bytes = strcspn(text, "\n");

			/* A line of roff must not begin with a dot or quote. */
			buf_append_str(out, *text == '.' || *text == '\'' ? "\\&" : "");
			buf_append(out, text, bytes);
			buf_append_str(out, "\n");
			text += bytes + strspn(text + bytes, "\n");
			if (*text)
				buf_append_str(out, ".PP\n");
		}
	}
}

int verb_man(struct verb_call *call, struct error *err)
{
	struct opt_command command = {
		.synopsis = "",
		.description = "Read it with: rgrid man | man -l -",
	};
	int parsed = verb_parse(call, &command, 0, 0, err);
	CLEANUP(cleanup_buf) struct buf text = {0};

	buf_init(&text, TEXT_BYTES_MAX);
	if (parsed <= 0)
		return parsed;
	buf_append_str(&text,
		       ".TH RGRID 1 \"\" \"rgrid " RGRID_VERSION "\" \"User Commands\"\n"
		       ".SH NAME\nrgrid \\- run scripts on many machines\n"
		       ".SH SYNOPSIS\n.B rgrid\n"
		       "[\\-\\-url URL] [\\-\\-no\\-color] VERB [options] ...\n"
		       ".SH DESCRIPTION\nRuns your scripts on many machines as simply as on "
		       "your own: files named by the arguments travel along, output is shown "
		       "as it comes, the files that the script writes come back, and the exit "
		       "code is the script's.\n.SH VERBS\n");
	for (size_t i = 0; i < verb_count(); i++) {
		const struct verb *verb = verb_at(i);

		if (verb->name && verb->run)
			verb_describe(verb, call->terminal, describe_man, &text);
		else if (verb->name)
			buf_appendf(&text, ".SS rgrid %s\n%s (served by rgridd).\n", verb->name,
				    verb->summary);
	}
	append_man_topics(&text);
	return terminal_write(STDOUT_FILENO, text.data, text.bytes, err);
}
