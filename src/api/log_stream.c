#include "api/log_stream.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "core/limits.h"
#include "store/queries.h"

#define PAGE_CHUNKS 16
#define PAGE_BYTES_MAX                                                             \
	(PAGE_CHUNKS * MIB) /* a chunk is far smaller; more would be a bug of ours \
			     */
#define SEND_BYTES (32 * KIB)

struct log_stream {
	struct pg_pool *pool;
	struct log_position position;
	unsigned streams;
	struct buf page;
	size_t sent;
	bool is_over;
};

static int read_page(struct log_stream *stream, struct pg *pg, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;

	pg_param_i64(&params, stream->position.job);
	pg_param_i64(&params, stream->position.attempt);
	pg_param_i64(&params, stream->position.after_seq);
	pg_param_i64(&params, stream->streams);
	pg_param_i64(&params, PAGE_CHUNKS);
	if (pg_run(pg, &query_log_page, &params, &result, err) < 0)
		return -1;
	buf_clear(&stream->page);
	stream->sent = 0;
	for (int row = 0; row < PQntuples(result); row++) {
		stream->position.after_seq = pg_get_i64(result, row, 0);
		pg_get_bytes(result, row, 1, &stream->page);
	}
	CHECK(!stream->page.overflowed);
	stream->is_over = PQntuples(result) < PAGE_CHUNKS;
	/* Only ever within the first chunk. */
	stream->sent = stream->position.skip_bytes < stream->page.bytes
			       ? (size_t)stream->position.skip_bytes
			       : stream->page.bytes;
	stream->position.skip_bytes = 0;
	return 0;
}

static ssize_t read_some(void *context, uint64_t offset, char *out, size_t bytes_max)
{
	struct log_stream *stream = context;

	(void)offset;
	while (stream->sent == stream->page.bytes) {
		struct error err;

		if (stream->is_over)
			return MHD_CONTENT_READER_END_OF_STREAM;
		struct pg *pg = pg_pool_take(stream->pool);
		int result = read_page(stream, pg, &err);
		pg_pool_give(stream->pool, pg);
		if (result < 0) {
			log_warning("api.log_cut_off", F_ERROR(&err));
			return MHD_CONTENT_READER_END_WITH_ERROR;
		}
	}
	size_t left = stream->page.bytes - stream->sent;
	size_t bytes = left < bytes_max ? left : bytes_max;
	memcpy(out, stream->page.data + stream->sent, bytes);
	stream->sent += bytes;
	return (ssize_t)bytes;
}

static void free_stream(void *context)
{
	struct log_stream *stream = context;

	buf_release(&stream->page);
	free(stream);
}

struct MHD_Response *log_stream_response(struct pg_pool *pool, const struct log_position *position,
					 unsigned streams)
{
	struct log_stream *stream = xcalloc(1, sizeof(*stream));

	stream->pool = pool;
	stream->position = *position;
	stream->streams = streams;
	buf_init(&stream->page, PAGE_BYTES_MAX);
	struct MHD_Response *response = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, SEND_BYTES, read_some, stream, free_stream);
	CHECK(response != NULL);
	return response;
}
