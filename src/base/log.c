#include "base/log.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/str.h"

#define LOG_LINE_BYTES	  16384 /* fields that no longer fit are left out, and that is said */
#define LOG_TAIL_BYTES	  32	/* room kept for ,"truncated":true}\n */
#define LOG_VALUE_BYTES	  2048	/* longer values are cut */
#define LOG_CONTEXT_COUNT 4

struct context_field {
	char key[32];
	char value[128];
};

/* Set once by log_init, before other threads exist. */
static struct {
	char program[32];
	enum log_level least;
	bool terminal;
	bool journal;
} logger = {.program = "rgrid", .least = LOG_LEVEL_INFO};

static _Thread_local struct context_field thread_context[LOG_CONTEXT_COUNT];

static const struct {
	const char *name;
	int priority; /* of syslog(3) */
} levels[] = {
	[LOG_LEVEL_DEBUG] = {"debug", 7},
	[LOG_LEVEL_INFO] = {"info", 6},
	[LOG_LEVEL_WARNING] = {"warning", 4},
	[LOG_LEVEL_ERROR] = {"error", 3},
};

/* Whether stderr is the stream that systemd connected to the journal ("device:inode"). */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char wanted[64];
	struct stat found;

	if (stream == NULL || fstat(STDERR_FILENO, &found) != 0)
		return false;
	(void)snprintf(wanted, sizeof(wanted), "%llu:%llu", (unsigned long long)found.st_dev,
		       (unsigned long long)found.st_ino);
	return str_eq(stream, wanted);
}

void log_init(const char *program, enum log_level least)
{
	CHECK(least >= LOG_LEVEL_DEBUG);
	CHECK(least <= LOG_LEVEL_ERROR);
	(void)snprintf(logger.program, sizeof(logger.program), "%s", program);
	logger.least = least;
	logger.terminal = isatty(STDERR_FILENO) == 1;
	logger.journal = stderr_is_journal();
}

int log_level_parse(const char *text, enum log_level *ret, struct error *err)
{
	for (size_t i = LOG_LEVEL_DEBUG; i < ARRAY_SIZE(levels); i++) {
		if (str_eq(levels[i].name, text)) {
			*ret = (enum log_level)i;
			return 0;
		}
	}
	(void)error_set(err, ERR_INVALID, "\"%.64s\" is not a log level", text);
	return error_hint(err, "the levels are debug, info, warning, error");
}

void log_context_set(const char *key, const char *value)
{
	struct context_field *free_field = NULL;
	struct context_field *field = NULL;

	for (size_t i = 0; i < LOG_CONTEXT_COUNT; i++) {
		if (str_eq(thread_context[i].key, key))
			field = &thread_context[i];
		else if (thread_context[i].key[0] == '\0' && free_field == NULL)
			free_field = &thread_context[i];
	}
	if (value == NULL) {
		if (field != NULL)
			field->key[0] = '\0';
		return;
	}
	if (field == NULL)
		field = free_field;
	CHECK(field != NULL);
	(void)snprintf(field->key, sizeof(field->key), "%s", key);
	(void)snprintf(field->value, sizeof(field->value), "%s", value);
}

static void append_quoted(struct buf *line, const char *text)
{
	size_t left = strnlen(text, LOG_VALUE_BYTES);

	buf_append_char(line, '"');
	while (left > 0) {
		size_t bytes = str_printable_bytes(text, left);

		if (*text == '"' || *text == '\\')
			buf_append_char(line, '\\');
		if (bytes > 0) {
			buf_append(line, text, bytes);
		} else {
			bytes = 1;
			if (*text == '\n')
				buf_append_str(line, "\\n");
			else if (*text == '\t')
				buf_append_str(line, "\\t");
			else
				buf_appendf(line, "\\u%04x", (unsigned)(unsigned char)*text);
		}
		text += bytes;
		left -= bytes;
	}
	buf_append_char(line, '"');
}

/* Whether logfmt can write the value without quotes. */
static bool is_bare(const char *text)
{
	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++) {
		if (*text <= ' ' || *text > '~' || *text == '"' || *text == '=' || *text == '\\')
			return false;
	}
	return true;
}

static void append_value(struct buf *line, const char *text)
{
	if (text == NULL)
		buf_append_str(line, "null");
	else if (logger.terminal && is_bare(text) && strlen(text) <= LOG_VALUE_BYTES)
		buf_append_str(line, text);
	else
		append_quoted(line, text);
}

/* Appends one member, whole or not at all; false when there was no room. */
static bool append_field(struct buf *line, const struct log_field *field)
{
	size_t before = line->bytes;
	char secret[40];

	if (logger.terminal)
		buf_appendf(line, "%s%s=", before > 0 ? " " : "", field->key);
	else
		buf_appendf(line, ",\"%s\":", field->key);
	switch (field->kind) {
	case LOG_FIELD_STR:
		append_value(line, field->str);
		break;
	case LOG_FIELD_INT:
		buf_appendf(line, "%lld", (long long)field->number);
		break;
	case LOG_FIELD_SECRET:
		(void)snprintf(secret, sizeof(secret), "(%zu bytes)",
			       field->str != NULL ? strlen(field->str) : 0);
		append_value(line, secret);
		break;
	}
	if (!line->overflowed)
		return true;
	line->overflowed = false;
	line->bytes = before;
	line->data[before] = '\0';
	return false;
}

static void append_header(struct buf *line, enum log_level level, const char *event)
{
	char now[CLOCK_RFC3339_BYTES];
	const char *name = levels[level].name;

	(void)clock_format_rfc3339(clock_wall_us(), now);
	if (logger.terminal)
		buf_appendf(line, "time=%s level=%s program=%s event=%s", now, name, logger.program,
			    event);
	else
		buf_appendf(line,
			    "{\"time\":\"%s\",\"level\":\"%s\",\"program\":\"%s\",\"event\":\"%s\"",
			    now, name, logger.program, event);
}

/* One write(2), so that lines of threads and processes do not mix. What stderr refuses is lost:
 * there is nowhere to complain, and a daemon must not stop because of its log. */
static void write_line(const struct buf *line)
{
	ssize_t written;

	do
		written = write(STDERR_FILENO, line->data, line->bytes);
	while (written < 0 && errno == EINTR);
}

void log_emit(enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
	int saved_errno = errno;
	bool complete = true;

	CHECK(level >= LOG_LEVEL_DEBUG);
	CHECK(level <= LOG_LEVEL_ERROR);
	if (level < logger.least)
		return;
	CLEANUP(cleanup_buf) struct buf line;

	buf_init(&line, LOG_LINE_BYTES - LOG_TAIL_BYTES);
	if (logger.journal)
		buf_appendf(&line, "<%d>", levels[level].priority);
	append_header(&line, level, event);
	for (size_t i = 0; i < LOG_CONTEXT_COUNT; i++) {
		const struct context_field *field = &thread_context[i];

		if (field->key[0] != '\0')
			complete &= append_field(&line, &F_STR(field->key, field->value));
	}
	for (size_t i = 0; i < count; i++)
		complete &= append_field(&line, &fields[i]);
	line.bytes_max = LOG_LINE_BYTES;
	if (!complete)
		buf_append_str(&line, logger.terminal ? " truncated=true" : ",\"truncated\":true");
	buf_append_str(&line, logger.terminal ? "\n" : "}\n");
	write_line(&line);
	errno = saved_errno;
}
