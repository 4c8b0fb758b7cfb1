#include "api/log_position.h"

#include <string.h>

#include "api/instant.h"
#include "api/refuse.h"
#include "base/check.h"
#include "base/str.h"
#include "core/job.h"
#include "store/queries.h"

#define TAIL_PAGE_CHUNKS 16 /* read at once, backwards */

int log_streams_parse(const char *text, unsigned *ret, struct error *err)
{
	unsigned streams = 0;

	for (const char *at = text; at != NULL;) {
		size_t bytes = strcspn(at, ",");
		CLEANUP(cleanup_free) char *name = xstrndup(at, bytes);
		enum log_stream stream;

		if (!log_stream_parse(name, &stream)) {
			return refuse_field(err, "stream",
					    "must name stdout, stderr or system, separated by "
					    "commas, not \"%.64s\"",
					    name);
		}
		streams |= 1U << stream;
		at = at[bytes] == ',' ? at + bytes + 1 : NULL;
	}
	*ret = streams;
	return 0;
}

const char *log_event_id_format(int64_t attempt, int64_t seq, char out[LOG_EVENT_ID_BYTES])
{
	(void)snprintf(out, LOG_EVENT_ID_BYTES, "%lld.%lld", (long long)attempt, (long long)seq);
	return out;
}

int log_event_id_parse(const char *text, int64_t *ret_attempt, int64_t *ret_seq, struct error *err)
{
	CLEANUP(cleanup_free) char *attempt = xstrdup(text);
	char *dot = strchr(attempt, '.');

	if (dot != NULL) {
		*dot = '\0';
		if (parse_i64(attempt, 1, INT32_MAX, ret_attempt, err) == 0 &&
		    parse_i64(dot + 1, -1, INT32_MAX, ret_seq, err) == 0)
			return 0;
	}
	return refuse_field(err, "Last-Event-ID", "is not the id of an event of this stream");
}

static int seek_since(struct pg *pg, const char *since, struct log_position *position,
		      struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	int64_t instant_us;
	uint64_t ago_ms;

	pg_param_i64(&params, position->job);
	pg_param_i64(&params, position->attempt);
	if (instant_parse(since, &instant_us, err) == 0) {
		pg_param_i64(&params, instant_us);
		pg_param_null(&params);
	} else if (parse_duration(since, &ago_ms, err) == 0 && ago_ms <= INT32_MAX * 1000ULL) {
		pg_param_null(&params);
		pg_param_i64(&params, (int64_t)ago_ms * 1000);
	} else {
		refuse_field(err, "since", "is neither a time nor a duration: \"%.64s\"", since);
		return error_hint(err, "write 2026-11-23T18:53:21Z, or 10m for the last ten "
				       "minutes");
	}
	if (pg_run(pg, &query_log_since, &params, &result, err) < 0)
		return -1;
	position->after_seq = pg_get_i64(result, 0, 0);
	return 0;
}

/* Counts back over one chunk's lines. True when `*lines` more begin within it, from *ret_offset on.
 * A line feed at the very end of the output ends the last line and begins none. */
static bool count_back(const struct buf *data, bool *is_last, uint64_t *lines, uint64_t *ret_offset)
{
	for (size_t i = data->bytes; i > 0; i--) {
		if (data->data[i - 1] == '\n' && !*is_last) {
			if (--*lines == 0) {
				*ret_offset = i;
				return true;
			}
		}
		*is_last = false;
	}
	return false;
}

static int tail_page(struct pg *pg, unsigned streams, const struct log_position *position,
		     int64_t before, PGresult **ret, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};

	pg_param_i64(&params, position->job);
	pg_param_i64(&params, position->attempt);
	pg_param_i64(&params, before);
	pg_param_i64(&params, streams);
	pg_param_i64(&params, position->after_seq);
	pg_param_i64(&params, TAIL_PAGE_CHUNKS);
	return pg_run(pg, &query_log_page_back, &params, ret, err);
}

static int seek_tail(struct pg *pg, unsigned streams, uint64_t lines, struct log_position *position,
		     struct error *err)
{
	int64_t before = INT32_MAX;
	bool is_last = true; /* byte of the output */
	int rows;

	do {
		CLEANUP(cleanup_pgresult) PGresult *page = NULL;

		if (tail_page(pg, streams, position, before, &page, err) < 0)
			return -1;
		rows = PQntuples(page);
		for (int row = 0; row < rows; row++) {
			CLEANUP(cleanup_buf) struct buf data = {0};

			before = pg_get_i64(page, row, 0);
			buf_init(&data, LIMIT_LOG_CHUNK_BYTES * 16);
			pg_get_bytes(page, row, 1, &data);
			if (lines == 0) {
				position->after_seq = before;
				return 0;
			}
			if (count_back(&data, &is_last, &lines, &position->skip_bytes)) {
				position->after_seq = before - 1;
				return 0;
			}
		}
	} while (rows == TAIL_PAGE_CHUNKS);
	return 0;
}

int log_position_seek(const struct request *request, struct pg *pg, unsigned streams,
		      struct log_position *position, struct error *err)
{
	const char *since = query_get(&request->query, "since");
	const char *tail = query_get(&request->query, "tail");
	uint64_t lines;

	if (tail != NULL && parse_u64(tail, 0, LIMIT_TAIL_LINES, &lines, err) < 0)
		return refuse_value(err, "tail");
	if (since != NULL && seek_since(pg, since, position, err) < 0)
		return -1;
	return tail != NULL ? seek_tail(pg, streams, lines, position, err) : 0;
}
