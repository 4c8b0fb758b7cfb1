#include "cli/follow.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/str.h"
#include "cli/interrupt.h"
#include "cli/sse.h"
#include "core/job.h"
#include "core/limits.h"

#define QUERY_BYTES_MAX 512
#define NOTE_AFTER_MS	3000
/* Away for longer than this, the server counts as gone; the job is unharmed. */
#define GIVE_UP_AFTER_MS (10ULL * 60 * 1000)
#define STREAM_COUNT	 4 /* indexed by enum log_stream */

struct follow {
	const struct follow_options *options;
	struct terminal *terminal;
	struct error *err;
	struct sse_parser parser;
	struct buf decoded;
	struct follow_result *result;
	int64_t attempt;
	uint64_t next[STREAM_COUNT];  /* offset of the next byte of each stream */
	bool is_placed[STREAM_COUNT]; /* next is known: the first event may begin anywhere */
	bool at_line_start;
	bool has_output;
	bool ended;
	bool failed; /* err is filled */
	bool alive;  /* this connection has delivered something */
};

void follow_result_release(struct follow_result *result)
{
	json_decref(result->job);
	buf_release(&result->stderr_tail);
	*result = (struct follow_result){0};
}

static void keep_tail(struct follow *follow, const char *data, size_t bytes)
{
	struct buf *tail = &follow->result->stderr_tail;

	if (bytes > FOLLOW_TAIL_BYTES) {
		data += bytes - FOLLOW_TAIL_BYTES;
		bytes = FOLLOW_TAIL_BYTES;
	}
	if (tail->bytes + bytes > FOLLOW_TAIL_BYTES)
		buf_consume(tail, tail->bytes + bytes - FOLLOW_TAIL_BYTES);
	buf_append(tail, data, bytes);
}

static int stream_fd(const struct follow *follow, enum log_stream stream)
{
	switch (stream) {
	case STREAM_STDOUT:
		return follow->options->stdout_fd;
	case STREAM_STDERR:
	case STREAM_SYSTEM:
		return follow->options->stderr_fd;
	}
	return -1;
}

static bool emit(struct follow *follow, enum log_stream stream, const char *data, size_t bytes)
{
	int fd = stream_fd(follow, stream);

	if (bytes == 0)
		return true;
	if (stream == STREAM_STDERR)
		keep_tail(follow, data, bytes);
	if (fd < 0)
		return true;
	terminal_line_clear(follow->terminal);
	follow->has_output = true;
	follow->at_line_start = data[bytes - 1] == '\n';
	follow->failed = terminal_write(fd, data, bytes, follow->err) != 0;
	return !follow->failed;
}

/* An attempt's streams begin at 0 again. */
static void note_attempt(struct follow *follow, int64_t attempt)
{
	if (attempt <= 0 || attempt == follow->attempt)
		return;
	if (follow->attempt > 0) {
		terminal_note(follow->terminal, "attempt %lld begins", (long long)attempt);
		for (size_t i = 0; i < STREAM_COUNT; i++) {
			follow->next[i] = 0;
			follow->is_placed[i] = true;
		}
		buf_clear(&follow->result->stderr_tail);
	}
	follow->attempt = attempt;
}

static bool on_log(struct follow *follow, const json_t *event)
{
	const char *name = api_text(event, "stream");
	const json_t *data = json_object_get(event, "data");
	uint64_t start = (uint64_t)api_number(event, "start");
	enum log_stream stream;
	size_t skip = 0;

	buf_clear(&follow->decoded);
	if (!name || !log_stream_parse(name, &stream) || !json_is_string(data) ||
	    !base64_decode(json_string_value(data), json_string_length(data), &follow->decoded))
		return true; /* not ours to show */
	if (follow->is_placed[stream] && start > follow->next[stream])
		terminal_note(follow->terminal, "%llu bytes of %s are missing here",
			      (unsigned long long)(start - follow->next[stream]), name);
	if (follow->is_placed[stream] && start < follow->next[stream])
		skip = (size_t)(follow->next[stream] - start);
	if (skip >= follow->decoded.bytes)
		return true;
	follow->is_placed[stream] = true;
	follow->next[stream] = start + follow->decoded.bytes;
	return emit(follow, stream, follow->decoded.data + skip, follow->decoded.bytes - skip);
}

static void on_state(struct follow *follow, const json_t *event)
{
	const char *state = api_text(event, "state");
	const char *reason = api_text(event, "reason");
	CLEANUP(cleanup_buf) struct buf line = {0};

	note_attempt(follow, api_number(event, "attempt"));
	if (!state || !follow->options->shows_state || follow->has_output)
		return;
	if (json_is_true(json_object_get(event, "held")))
		spending_held(follow->options->spending, follow->terminal, follow->options->job_id);
	buf_init(&line, QUERY_BYTES_MAX);
	buf_appendf(&line, "%s%s %s", terminal_err_style(follow->terminal, STYLE_DIM),
		    follow->options->job_id, state);
	if (reason) {
		buf_append_str(&line, ": ");
		terminal_clean(&line, reason);
	}
	buf_append_str(&line, terminal_err_style(follow->terminal, STYLE_RESET));
	terminal_line(follow->terminal, line.data);
}

/* The id of a log event begins with its attempt: "3.17". 0 when it does not. */
static int64_t attempt_of(const char *id)
{
	CLEANUP(cleanup_free) char *digits = xstrndup(id, strspn(id, "0123456789"));
	struct error ignored;
	int64_t attempt = 0;

	(void)!parse_i64(digits, 1, INT32_MAX, &attempt, &ignored);
	return attempt;
}

static bool on_event(void *context, const struct sse_event *event)
{
	struct follow *follow = context;
	CLEANUP(cleanup_json) json_t *data = NULL;
	struct error ignored;

	if (json_parse(event->data, event->data_bytes, &data, &ignored) != 0)
		return true;
	if (str_eq(event->type, "log")) {
		note_attempt(follow, attempt_of(event->id));
		return on_log(follow, data);
	}
	if (str_eq(event->type, "state")) {
		on_state(follow, data);
	} else if (str_eq(event->type, "end") && json_is_object(data)) {
		json_decref(follow->result->job);
		follow->result->job = TAKE_PTR(data);
		follow->ended = true;
		return false;
	}
	return true;
}

static bool on_data(void *context, const char *data, size_t bytes)
{
	struct follow *follow = context;

	follow->alive = true;
	return sse_feed(&follow->parser, data, bytes);
}

/* One connection's worth of the stream. 0: it closed, for whatever reason of the moment. -1: err.
 */
static int follow_once(struct follow *follow, struct api_client *api, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf suffix = {0};
	CLEANUP(cleanup_free) char *path = NULL;
	CLEANUP(cleanup_http_response) struct http_response response = {0};
	bool resumes = follow->parser.id[0] != '\0';
	struct api_request request = {
		.method = "GET",
		.repeat = API_REPEAT_NEVER,
		.accept = "text/event-stream",
		.last_event_id = follow->parser.id,
		.no_timeout = true,
		.on_data = on_data,
		.context = follow,
	};

	buf_init(&suffix, QUERY_BYTES_MAX);
	buf_append_str(&suffix, "/logs?follow=1");
	if (!resumes && follow->options->query)
		buf_append_str(&suffix, follow->options->query);
	path = api_path("jobs", follow->options->job_id, suffix.data);
	request.path = path;
	sse_restart(&follow->parser);
	if (api_perform(api, &request, &response, err) != 0)
		return error_is_retryable(err->code) ? 0 : -1;
	if (follow->parser.too_large)
		return error_set(err, ERR_UNAVAILABLE, "the server's stream of logs is garbled");
	return 0;
}

/* Waits before the next connection; says so when it takes long. -1 when it takes too long. */
static int wait_for_server(struct follow *follow, uint64_t *away_since_ms, unsigned *attempt,
			   bool *noted, struct error *err)
{
	uint64_t now_ms = clock_boottime_ms();

	if (follow->alive) {
		if (*noted)
			terminal_note(follow->terminal, "connected again");
		*attempt = 0;
		*away_since_ms = now_ms;
		*noted = false;
		follow->alive = false;
	}
	if (now_ms - *away_since_ms > GIVE_UP_AFTER_MS) {
		error_set(err, ERR_UNAVAILABLE, "the server has been away for too long");
		return error_hint(err, "the job goes on; later: rgrid attach %s",
				  follow->options->job_id);
	}
	if (!*noted && now_ms - *away_since_ms > NOTE_AFTER_MS) {
		terminal_note(follow->terminal, "lost the server; the job goes on, trying to "
						"reach it again");
		*noted = true;
	}
	interrupt_wait_ms(api_backoff_ms((*attempt)++));
	return 0;
}

static int follow_until_end(struct follow *follow, struct api_client *api, struct error *err)
{
	uint64_t away_since_ms = clock_boottime_ms();
	unsigned attempt = 0;
	bool noted = false;

	for (;;) {
		struct error stream_error = {0};
		int result = follow_once(follow, api, &stream_error);

		if (follow->failed)
			return -1; /* err was filled by emit */
		if (follow->ended || interrupt_signal())
			return 0;
		if (result != 0) {
			*err = stream_error;
			return -1;
		}
		if (wait_for_server(follow, &away_since_ms, &attempt, &noted, err) != 0)
			return -1;
		if (interrupt_signal())
			return 0;
	}
}

int follow_job(const struct follow_options *options, struct api_client *api,
	       struct terminal *terminal, struct follow_result *ret, struct error *err)
{
	struct follow follow = {
		.options = options,
		.terminal = terminal,
		.err = err,
		.result = ret,
		.at_line_start = true,
	};
	int result;

	*ret = (struct follow_result){0};
	buf_init(&ret->stderr_tail, FOLLOW_TAIL_BYTES);
	buf_init(&follow.decoded, SSE_EVENT_BYTES_MAX);
	sse_init(&follow.parser, on_event, &follow);
	if (!options->query) {
		/* From the beginning: any gap is a loss. */
		for (size_t i = 0; i < STREAM_COUNT; i++)
			follow.is_placed[i] = true;
	}
	result = follow_until_end(&follow, api, err);
	terminal_line_clear(terminal);
	/* What we say next must not stick to an unfinished line of the job's. */
	if (!follow.at_line_start && terminal->err_is_tty && terminal->out_is_tty)
		terminal_say(terminal, "");
	sse_release(&follow.parser);
	buf_release(&follow.decoded);
	return result;
}
