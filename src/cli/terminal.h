/* What the user sees: which of stdout and stderr is a terminal, which may carry colour (NO_COLOR,
 * CLICOLOR_FORCE, TERM=dumb, --no-color), how wide it is, and the one transient line at the bottom
 * (progress). stdout is for results; everything RGrid says about its work goes to stderr. Text that
 * came from elsewhere passes through terminal_clean before it is shown, so that no escape sequence
 * of a stranger reaches the terminal. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

enum style {
	STYLE_RESET = 1,
	STYLE_BOLD,
	STYLE_DIM,
	STYLE_RED,
	STYLE_GREEN,
	STYLE_YELLOW,
	STYLE_CYAN,
	STYLE_MAX
};

#define TERMINAL_COLUMNS_DEFAULT 80
#define TERMINAL_COLUMNS_MIN	 20
#define TERMINAL_COLUMNS_MAX	 1000

struct terminal {
	bool out_is_tty;
	bool err_is_tty;
	bool out_colour;
	bool err_colour;
	bool line_shown; /* a transient line stands at the cursor */
};

void terminal_init(struct terminal *terminal, bool no_colour);
/* Columns of stderr's terminal, read anew each time (windows are resized). */
unsigned terminal_columns(void);

/* The escape sequence, or "" when that stream carries no colour. */
const char *terminal_out_style(const struct terminal *terminal, enum style style);
const char *terminal_err_style(const struct terminal *terminal, enum style style);

/* All bytes to stdout or stderr, waiting if the descriptor is non-blocking. When the reader of
 * stdout has gone, the error is recognised by terminal_reader_gone: the program ends quietly. */
MUST_CHECK int terminal_write(int fd, const void *data, size_t bytes, struct error *err);
bool terminal_reader_gone(const struct error *err);

/* "rgrid: text" on stderr, above the transient line. */
PRINTF_FORMAT(2, 3) void terminal_note(struct terminal *terminal, const char *format, ...);
/* Each line of `text` as a note. */
void terminal_note_lines(struct terminal *terminal, const char *text);
/* "hint: text" on stderr. */
PRINTF_FORMAT(2, 3) void terminal_hint(struct terminal *terminal, const char *format, ...);
/* A line as it is on stderr, above the transient line. */
void terminal_say(struct terminal *terminal, const char *text);
void terminal_error(struct terminal *terminal, const struct error *err);

/* Shows, replaces or removes the transient line; nothing when stderr is no terminal. The text is
 * cut at the terminal's width; styles in it are not counted. */
void terminal_line(struct terminal *terminal, const char *text);
void terminal_line_clear(struct terminal *terminal);

/* Appends `text` with control characters and invalid UTF-8 replaced by '?'. */
void terminal_clean(struct buf *out, const char *text);
/* Columns that clean text takes: its code points. */
size_t terminal_width(const char *text);
