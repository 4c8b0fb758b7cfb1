/* What a command says about itself: -h, man page section, shell completion. */
#include "base/opts.h"

#include "base/check.h"
#include "base/str.h"

#define HELP_COLUMNS 80
#define HELP_INDENT  30

/* Appends `text` wrapped at HELP_COLUMNS; the cursor stands at `column`, further lines are
 * indented. Line breaks in the text are kept. */
static void append_wrapped(struct buf *out, const char *text, size_t column, size_t indent)
{
	bool at_start = true;
	while (*text != '\0') {
		if (*text == '\n') {
			buf_append_char(out, '\n');
			text++;
			if (*text != '\0' && *text != '\n')
				buf_appendf(out, "%*s", (int)indent, "");
			column = indent;
			at_start = true;
			continue;
		}
		if (*text == ' ') {
			text++;
			continue;
		}
		size_t bytes = strcspn(text, " \n");
		if (!at_start && column + 1 + bytes > HELP_COLUMNS) {
			buf_appendf(out, "\n%*s", (int)indent, "");
			column = indent;
			at_start = true;
		}
		if (!at_start) {
			buf_append_char(out, ' ');
			column++;
		}
		buf_append(out, text, bytes);
		column += bytes;
		text += bytes;
		at_start = false;
	}
	buf_append_char(out, '\n');
}

static void append_option(struct buf *out, char short_name, const char *long_name,
			  const char *argument, const char *help)
{
	size_t begin = out->bytes;
	if (short_name != 0)
		buf_appendf(out, "  -%c, ", short_name);
	else
		buf_append_str(out, "      ");
	buf_appendf(out, "--%s", long_name);
	if (argument != NULL)
		buf_appendf(out, " %s", argument);
	size_t column = out->bytes - begin;
	if (column + 2 > HELP_INDENT) {
		buf_appendf(out, "\n%*s", HELP_INDENT, "");
	} else {
		buf_appendf(out, "%*s", (int)(HELP_INDENT - column), "");
	}
	append_wrapped(out, help, HELP_INDENT, HELP_INDENT);
}

void opt_help(const struct opt_command *command, const char *program, struct buf *out)
{
	buf_appendf(out, "Usage: %s %s %s\n\n", program, command->name, command->synopsis);
	append_wrapped(out, command->summary, 0, 0);
	if (command->description != NULL) {
		buf_append_char(out, '\n');
		append_wrapped(out, command->description, 0, 0);
	}
	buf_append_str(out, "\nOptions:\n");
	for (size_t i = 0; i < command->option_count; i++) {
		const struct opt *option = &command->options[i];
		append_option(out, option->short_name, option->long_name, option->argument,
			      option->help);
	}
	append_option(out, 'h', "help", NULL, "show this");
	if (command->examples != NULL)
		buf_appendf(out, "\nExamples:\n%s%s", command->examples,
			    str_has_suffix(command->examples, "\n") ? "" : "\n");
}

/* roff: a backslash and a leading dot or quote are special; a minus is an option's. */
static void append_roff(struct buf *out, const char *text)
{
	bool at_line_start = true;
	for (; *text != '\0'; text++) {
		if (at_line_start && (*text == '.' || *text == '\''))
			buf_append_str(out, "\\&");
		if (*text == '\\')
			buf_append_str(out, "\\e");
		else if (*text == '-')
			buf_append_str(out, "\\-");
		else
			buf_append_char(out, *text);
		at_line_start = *text == '\n';
	}
}

void opt_man(const struct opt_command *command, const char *program, struct buf *out)
{
	buf_append_str(out, ".SS ");
	append_roff(out, program);
	buf_append_char(out, ' ');
	append_roff(out, command->name);
	buf_append_char(out, ' ');
	append_roff(out, command->synopsis);
	buf_append_char(out, '\n');
	append_roff(out, command->summary);
	buf_append_str(out, ".\n");
	if (command->description != NULL) {
		buf_append_str(out, ".PP\n");
		append_roff(out, command->description);
		buf_append_char(out, '\n');
	}
	for (size_t i = 0; i < command->option_count; i++) {
		const struct opt *option = &command->options[i];
		buf_append_str(out, ".TP\n");
		if (option->short_name != 0)
			buf_appendf(out, "\\fB\\-%c\\fR, ", option->short_name);
		buf_append_str(out, "\\fB\\-\\-");
		append_roff(out, option->long_name);
		buf_append_str(out, "\\fR");
		if (option->argument != NULL) {
			buf_append_str(out, " \\fI");
			append_roff(out, option->argument);
			buf_append_str(out, "\\fR");
		}
		buf_append_char(out, '\n');
		append_roff(out, option->help);
		buf_append_str(out, ".\n");
	}
	if (command->examples != NULL) {
		buf_append_str(out, ".PP\n.EX\n");
		append_roff(out, command->examples);
		if (!str_has_suffix(command->examples, "\n"))
			buf_append_char(out, '\n');
		buf_append_str(out, ".EE\n");
	}
}

/* How bash completes the value of an option: a line of the case over the previous word. */
static void append_value_completion(struct buf *out, const char *program, const struct opt *option)
{
	buf_append_str(out, "\t\t");
	if (option->short_name != 0)
		buf_appendf(out, "-%c|", option->short_name);
	buf_appendf(out, "--%s) ", option->long_name);
	const char *kind = option->completion;
	if (kind == NULL)
		buf_append_str(out, "COMPREPLY=(); return ;;\n");
	else if (str_eq(kind, "file"))
		buf_append_str(out,
			       "mapfile -t COMPREPLY < <(compgen -f -- \"$word\"); return ;;\n");
	else if (str_eq(kind, "directory"))
		buf_append_str(out,
			       "mapfile -t COMPREPLY < <(compgen -d -- \"$word\"); return ;;\n");
	else if (str_eq(kind, "runtime") || str_eq(kind, "job") || str_eq(kind, "batch"))
		buf_appendf(out,
			    "mapfile -t COMPREPLY < <(compgen -W \"$(_%s_%ss)\" -- \"$word\"); "
			    "return ;;\n",
			    program, kind);
	else
		buf_appendf(out,
			    "mapfile -t COMPREPLY < <(compgen -W '%s' -- \"$word\"); return ;;\n",
			    kind);
}

void opt_bash_completion(const struct opt_command *command, const char *program, struct buf *out)
{
	buf_appendf(out, "\t'%s')\n\t\tcase \"$previous\" in\n", command->name);
	for (size_t i = 0; i < command->option_count; i++) {
		if (command->options[i].kind != OPT_FLAG)
			append_value_completion(out, program, &command->options[i]);
	}
	buf_append_str(out, "\t\tesac\n\t\toptions='--help");
	for (size_t i = 0; i < command->option_count; i++)
		buf_appendf(out, " --%s", command->options[i].long_name);
	buf_append_str(out, "'\n\t\t;;\n");
}
