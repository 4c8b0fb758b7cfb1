#include "cli/terminal.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/check.h"
#include "base/str.h"

#define TEXT_BYTES_MAX 8192

static const char *const style_sequences[STYLE_MAX] = {
	[STYLE_RESET] = "\033[0m", [STYLE_BOLD] = "\033[1m",   [STYLE_DIM] = "\033[2m",
	[STYLE_RED] = "\033[31m",  [STYLE_GREEN] = "\033[32m", [STYLE_YELLOW] = "\033[33m",
	[STYLE_CYAN] = "\033[36m",
};

static bool environment_is_set(const char *name)
{
	const char *value = getenv(name);

	return value && value[0];
}

static bool wants_colour(bool is_tty, bool no_colour)
{
	const char *force = getenv("CLICOLOR_FORCE");
	const char *term = getenv("TERM");

	if (no_colour || environment_is_set("NO_COLOR"))
		return false;
	if (force && force[0] && !str_eq(force, "0"))
		return true;
	return is_tty && term && !str_eq(term, "dumb");
}

void terminal_init(struct terminal *terminal, bool no_colour)
{
	*terminal = (struct terminal){
		.out_is_tty = isatty(STDOUT_FILENO) == 1,
		.err_is_tty = isatty(STDERR_FILENO) == 1,
	};
	terminal->out_colour = wants_colour(terminal->out_is_tty, no_colour);
	terminal->err_colour = wants_colour(terminal->err_is_tty, no_colour);
}

unsigned terminal_columns(void)
{
	struct winsize size = {0};
	const char *text = getenv("COLUMNS");
	struct error ignored;
	uint64_t columns;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= TERMINAL_COLUMNS_MIN)
		return size.ws_col < TERMINAL_COLUMNS_MAX ? size.ws_col : TERMINAL_COLUMNS_MAX;
	if (text &&
	    parse_u64(text, TERMINAL_COLUMNS_MIN, TERMINAL_COLUMNS_MAX, &columns, &ignored) == 0)
		return (unsigned)columns;
	return TERMINAL_COLUMNS_DEFAULT;
}

const char *terminal_out_style(const struct terminal *terminal, enum style style)
{
	CHECK(style > 0 && style < STYLE_MAX);
	return terminal->out_colour ? style_sequences[style] : "";
}

const char *terminal_err_style(const struct terminal *terminal, enum style style)
{
	CHECK(style > 0 && style < STYLE_MAX);
	return terminal->err_colour ? style_sequences[style] : "";
}

int terminal_write(int fd, const void *data, size_t bytes, struct error *err)
{
	const char *at = data;

	while (bytes > 0) {
		ssize_t written = write(fd, at, bytes);

		if (written >= 0) {
			at += written;
			bytes -= (size_t)written;
		} else if (errno == EAGAIN) {
			struct pollfd ready = {.fd = fd, .events = POLLOUT};

			(void)poll(&ready, 1, -1); /* the write is tried again either way */
		} else if (errno != EINTR) {
			error_set_errno(err, ERR_INTERNAL, errno, "cannot write the output");
			return error_field(err, "stdout");
		}
	}
	return 0;
}

bool terminal_reader_gone(const struct error *err)
{
	return err->errnum == EPIPE && str_eq(err->field, "stdout");
}

/* What is said on stderr is lost when nobody reads stderr; that is no reason to fail. */
static void write_stderr(const char *data, size_t bytes)
{
	struct error ignored;

	(void)!terminal_write(STDERR_FILENO, data, bytes, &ignored);
}

void terminal_say(struct terminal *terminal, const char *text)
{
	CLEANUP(cleanup_buf) struct buf line = {0};

	buf_init(&line, TEXT_BYTES_MAX);
	if (terminal->line_shown)
		buf_append_str(&line, "\r\033[K");
	buf_append_str(&line, text);
	buf_append_char(&line, '\n');
	terminal->line_shown = false;
	write_stderr(line.data, line.bytes);
}

static void say_labelled(struct terminal *terminal, const char *label, enum style style,
			 const char *text)
{
	CLEANUP(cleanup_buf) struct buf line = {0};

	buf_init(&line, TEXT_BYTES_MAX);
	buf_appendf(&line, "%s%s%s ", terminal_err_style(terminal, style), label,
		    terminal_err_style(terminal, STYLE_RESET));
	terminal_clean(&line, text);
	terminal_say(terminal, line.data);
}

void terminal_note(struct terminal *terminal, const char *format, ...)
{
	char text[ERROR_MESSAGE_BYTES + ERROR_HINT_BYTES];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	say_labelled(terminal, "rgrid:", STYLE_DIM, text);
}

void terminal_note_lines(struct terminal *terminal, const char *text)
{
	while (*text) {
		size_t bytes = strcspn(text, "\n");

		terminal_note(terminal, "%.*s", (int)bytes, text);
		text += bytes + (text[bytes] == '\n');
	}
}

void terminal_hint(struct terminal *terminal, const char *format, ...)
{
	char text[ERROR_MESSAGE_BYTES + ERROR_HINT_BYTES];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	say_labelled(terminal, "hint:", STYLE_CYAN, text);
}

void terminal_error(struct terminal *terminal, const struct error *err)
{
	say_labelled(terminal, "rgrid:", STYLE_RED, err->msg);
	if (err->hint[0])
		terminal_hint(terminal, "%s", err->hint);
}

/* Bytes of one UTF-8 sequence, going by its first byte. */
static size_t sequence_bytes(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first < 0xe0)
		return 2;
	return first < 0xf0 ? 3 : 4;
}

void terminal_clean(struct buf *out, const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		size_t bytes = sequence_bytes((unsigned char)*text);
		/* C1 controls (U+0080 to U+009F) are escape sequences to some terminals. */
		bool is_c1 = bytes == 2 && (unsigned char)text[0] == 0xc2 && left >= 2 &&
			     (unsigned char)text[1] < 0xa0;

		if (bytes > left || !str_is_utf8(text, bytes) || is_c1 ||
		    (bytes == 1 && ((unsigned char)*text < 0x20 || *text == 0x7f))) {
			buf_append_char(out, *text == '\t' ? ' ' : '?');
			bytes = is_c1 ? 2 : 1;
		} else {
			buf_append(out, text, bytes);
		}
		text += bytes;
		left -= bytes;
	}
}

size_t terminal_width(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

/* Copies text up to `columns` code points; escape sequences take no column and are always kept. */
static void append_cut(struct buf *out, const char *text, size_t columns)
{
	size_t used = 0;

	while (*text) {
		size_t bytes;

		if (*text == '\033') {
			bytes = strcspn(text, "mK");
			bytes += text[bytes] != '\0';
			buf_append(out, text, bytes);
		} else {
			bytes = strnlen(text, sequence_bytes((unsigned char)*text));
			if (used++ < columns)
				buf_append(out, text, bytes);
		}
		text += bytes;
	}
}

void terminal_line(struct terminal *terminal, const char *text)
{
	CLEANUP(cleanup_buf) struct buf line = {0};

	if (!terminal->err_is_tty)
		return;
	buf_init(&line, TEXT_BYTES_MAX);
	buf_append_str(&line, "\r\033[K");
	append_cut(&line, text, terminal_columns() - 1);
	terminal->line_shown = true;
	write_stderr(line.data, line.bytes);
}

void terminal_line_clear(struct terminal *terminal)
{
	static const char erase[] = "\r\033[K";

	if (!terminal->line_shown)
		return;
	terminal->line_shown = false;
	write_stderr(erase, sizeof(erase) - 1);
}
