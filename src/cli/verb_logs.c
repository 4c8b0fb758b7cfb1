#include <unistd.h>

#include "base/encode.h"
#include "base/str.h"
#include "cli/follow.h"
#include "cli/interrupt.h"
#include "cli/session.h"
#include "cli/target.h"

#define QUERY_BYTES_MAX 512

struct logs_options {
	const char *since;
	const char *stream;
	uint64_t tail; /* UINT64_MAX: all */
	uint64_t attempt;
	bool follow;
};

static void append_query(const struct logs_options *options, struct buf *query)
{
	if (options->since) {
		buf_append_str(query, "&since=");
		url_encode(query, options->since, false);
	}
	if (options->stream) {
		buf_append_str(query, "&stream=");
		url_encode(query, options->stream, false);
	}
	if (options->tail != UINT64_MAX)
		buf_appendf(query, "&tail=%llu", (unsigned long long)options->tail);
	if (options->attempt)
		buf_appendf(query, "&attempt=%llu", (unsigned long long)options->attempt);
}

/* Where the bytes go, and what went wrong there. */
struct log_sink {
	struct error err;
	uint64_t written; /* by all tries */
	uint64_t passed;  /* in this try */
	bool failed;
};

static bool sink_begin(void *context, struct error *err)
{
	struct log_sink *sink = context;

	(void)err;
	sink->passed = 0;
	return true;
}

/* A repeated request sends the same bytes from the start: those already shown are skipped. */
static bool sink_data(void *context, const char *data, size_t bytes)
{
	struct log_sink *sink = context;
	uint64_t skip = sink->written > sink->passed ? sink->written - sink->passed : 0;

	if (skip > bytes)
		skip = bytes;
	sink->passed += bytes;
	data += skip;
	bytes -= (size_t)skip;
	sink->failed = terminal_write(STDOUT_FILENO, data, bytes, &sink->err) != 0;
	sink->written += bytes;
	return !sink->failed;
}

static int print_once(struct session *session, const char *id, const char *query, struct error *err)
{
	CLEANUP(cleanup_http_response) struct http_response response = {0};
	CLEANUP(cleanup_free)
	char *suffix = xasprintf("/logs%s%s", query[0] ? "?" : "", query[0] ? query + 1 : "");
	CLEANUP(cleanup_free) char *path = api_path("jobs", id, suffix);
	struct log_sink sink = {0};
	const struct api_request request = {
		.method = "GET",
		.path = path,
		.accept = "text/plain",
		.no_timeout = true,
		.on_begin = sink_begin,
		.on_data = sink_data,
		.context = &sink,
	};

	if (api_perform(session->api, &request, &response, err) != 0)
		return -1;
	if (sink.failed) {
		*err = sink.err;
		return -1;
	}
	return 0;
}

static int follow(struct session *session, const char *id, const char *query, struct error *err)
{
	CLEANUP(cleanup_follow_result) struct follow_result result = {0};
	const struct follow_options options = {
		.job_id = id,
		.query = query[0] ? query : NULL,
		.stdout_fd = STDOUT_FILENO,
		.stderr_fd = STDOUT_FILENO,
		.shows_state = true,
	};

	interrupt_install();
	if (follow_job(&options, session->api, session->terminal, &result, err) != 0)
		return -1;
	return interrupt_signal() ? 128 + interrupt_signal() : 0;
}

static int logs(struct verb_call *call, const struct logs_options *options, struct error *err)
{
	CLEANUP(cleanup_session) struct session session = {0};
	CLEANUP(cleanup_buf) struct buf query = {0};
	const char *id = call->positional[0];

	buf_init(&query, QUERY_BYTES_MAX);
	if (target_is_batch(id)) {
		error_set(err, ERR_INVALID, "logs are of jobs, %s is a batch", id);
		return error_hint(err, "its jobs: rgrid list --batch %s", id);
	}
	append_query(options, &query);
	if (session_open(call, &session, err) != 0)
		return -1;
	return options->follow ? follow(&session, id, query.data, err)
			       : print_once(&session, id, query.data, err);
}

int verb_logs(struct verb_call *call, struct error *err)
{
	struct logs_options o = {.tail = UINT64_MAX};
	const struct opt options[] = {
		OPT_FLAG('f', "follow", &o.follow, "Go on as the job writes, until it ends"),
		OPT_U64('n', "tail", "N", &o.tail, 0, UINT32_MAX, "Only the last N lines"),
		OPT_STR(0, "since", "TIME", &o.since, "Only what is newer: 10m, or a time", NULL),
		OPT_STR(0, "stream", "NAME", &o.stream, "stdout, stderr or system, or several",
			"stdout stderr system"),
		OPT_U64(0, "attempt", "N", &o.attempt, 1, UINT32_MAX, "Of an earlier attempt"),
	};
	struct opt_command command = {
		.synopsis = "[options] ID",
		.description = "Prints stdout and stderr in the order in which they came, both on "
			       "standard output.",
		.examples =
			"  rgrid logs last --tail 20\n  rgrid logs -f job_06f2kq --stream stderr\n",
		.options = options,
		.option_count = ARRAY_SIZE(options),
	};
	int parsed = verb_parse(call, &command, 1, 1, err);

	return parsed <= 0 ? parsed : logs(call, &o, err);
}
