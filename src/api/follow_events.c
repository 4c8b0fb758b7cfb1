#include "api/follow_events.h"

#include <stdlib.h>

#include "api/job_view.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/json.h"
#include "core/job.h"

static void append_event(struct buf *out, const struct follow_progress *progress, const char *type,
			 json_t *data)
{
	CLEANUP(cleanup_free) char *text = json_to_text(data);
	char id[LOG_EVENT_ID_BYTES];

	buf_appendf(
		out, "id: %s\nevent: %s\ndata: ",
		log_event_id_format(progress->position.attempt, progress->position.after_seq, id),
		type);
	buf_append_str(out, text);
	buf_append_str(out, "\n\n");
	json_decref(data);
}

static void append_state(struct follow_progress *progress, const PGresult *rows, int row,
			 struct buf *out)
{
	int64_t state = pg_get_i64(rows, row, FOLLOW_JOB + JOB_COLUMN_STATE);
	int64_t attempt = pg_get_i64(rows, row, FOLLOW_JOB + JOB_COLUMN_ATTEMPT);

	bool held = pg_get_i64(rows, row, FOLLOW_JOB + JOB_COLUMN_PLACE) == PLACE_DELAYED &&
		    pg_get_text_or_null(rows, row, FOLLOW_JOB + JOB_COLUMN_RUN_AT_US) == NULL;

	if (state == progress->told_state && attempt == progress->told_attempt &&
	    held == progress->told_held)
		return;
	progress->told_held = held;
	progress->told_state = state;
	progress->told_attempt = attempt;
	append_event(out, progress, "state",
		     json_pack("{s:s, s:I, s:b, s:o}", "state",
			       job_state_name((enum job_state)state), "attempt",
			       (json_int_t)attempt, "held", held, "reason",
			       job_view_reason(rows, row, FOLLOW_JOB)));
}

static void append_chunk(struct follow_progress *progress, const PGresult *rows, int row,
			 struct buf *out)
{
	enum log_stream stream = (enum log_stream)pg_get_i64(rows, row, FOLLOW_STREAM);
	CLEANUP(cleanup_buf) struct buf data = {0};
	CLEANUP(cleanup_buf) struct buf text = {0};
	char at[CLOCK_RFC3339_BYTES];
	uint64_t skip = progress->position.skip_bytes;

	progress->position.after_seq = pg_get_i64(rows, row, FOLLOW_SEQ);
	if ((progress->streams & (1U << stream)) == 0)
		return;
	progress->position.skip_bytes = 0;
	buf_init(&data, MIB);
	buf_init(&text, 2 * MIB);
	pg_get_bytes(rows, row, FOLLOW_DATA, &data);
	CHECK(!data.overflowed);
	if (skip > data.bytes)
		skip = data.bytes;
	base64_append(&text, data.data + skip, data.bytes - (size_t)skip);
	append_event(out, progress, "log",
		     json_pack("{s:s, s:I, s:I, s:s, s:s}", "stream", log_stream_name(stream),
			       "attempt", (json_int_t)progress->position.attempt, "start",
			       (json_int_t)(pg_get_i64(rows, row, FOLLOW_START) + (int64_t)skip),
			       "at", clock_format_rfc3339(pg_get_i64(rows, row, FOLLOW_AT_US), at),
			       "data", text.data));
}

static bool is_final(int64_t state)
{
	return state == JOB_COMPLETED || state == JOB_FAILED || state == JOB_CANCELLED;
}

bool follow_events(struct follow_progress *progress, const PGresult *rows, int first, int end,
		   struct buf *out)
{
	int64_t state = pg_get_i64(rows, first, FOLLOW_JOB + JOB_COLUMN_STATE);
	int64_t attempt = pg_get_i64(rows, first, FOLLOW_JOB + JOB_COLUMN_ATTEMPT);
	int chunks = 0;

	/* That it runs is told before its output; that it has ended, or waits for its next attempt,
	 * after all output of the attempt before. */
	if (attempt == progress->position.attempt && !is_final(state))
		append_state(progress, rows, first, out);
	for (int row = first; row < end; row++) {
		if (pg_get_text_or_null(rows, row, FOLLOW_SEQ) == NULL)
			continue;
		append_chunk(progress, rows, row, out);
		chunks++;
	}
	if (chunks == FOLLOW_CHUNKS)
		return false; /* there may be more of this attempt */
	if (attempt > progress->position.attempt) {
		progress->position.attempt++;
		progress->position.after_seq = -1;
		progress->position.skip_bytes = 0;
		return false;
	}
	if (!is_final(state))
		return false;
	append_state(progress, rows, first, out);
	append_event(out, progress, "end", job_view_json(rows, first, FOLLOW_JOB));
	return true;
}
