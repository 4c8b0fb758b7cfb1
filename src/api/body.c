#include "api/body.h"

#include <string.h>

#include "api/request.h"
#include "api/server.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"

/* What we read of a body whose answer is decided: after that we hang up. */
#define DISCARD_SMALL_BYTES (1 * MIB)
#define DISCARD_BYTES_MAX   (64 * MIB)
/* A client slower than this after the first seconds is hung up on. */
#define SLOW_AFTER_US	 (30ULL * 1000 * 1000)
#define SLOW_BYTES_PER_S 1024
/* Of a parsed value; the text itself is held about twice. */
#define VALUE_MEMORY_BYTES 96

bool body_is_small(const struct request *request)
{
	const char *length = request_header(request, MHD_HTTP_HEADER_CONTENT_LENGTH);
	uint64_t bytes;
	struct error ignored;

	if (request_header(request, MHD_HTTP_HEADER_EXPECT) != NULL)
		return false;
	if (request_header(request, MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL || length == NULL)
		return true; /* none, or of a length that only reading will show */
	return parse_u64(length, 0, DISCARD_SMALL_BYTES, &bytes, &ignored) == 0;
}

static void fail(struct request *request)
{
	request->has_failed = true;
	request->is_discarded = true;
	buf_release(&request->body);
	blob_writer_abort(request->blob_writer);
	request->blob_writer = NULL;
}

static bool is_too_slow(const struct request *request)
{
	uint64_t elapsed_us = clock_boottime_us() - request->started_us;

	return elapsed_us > SLOW_AFTER_US &&
	       request->body_bytes < elapsed_us / 1000000 * SLOW_BYTES_PER_S;
}

static int take_blob(struct request *request, const char *data, size_t bytes)
{
	if (request->body_bytes > LIMIT_BLOB_BYTES)
		return error_set(&request->err, ERR_TOO_LARGE,
				 "the blob is larger than the %llu bytes allowed",
				 LIMIT_BLOB_BYTES);
	return blob_writer_append(request->blob_writer, data, bytes, &request->err);
}

static int take_text(struct request *request, const char *data, size_t bytes)
{
	if (request->body_bytes > LIMIT_BODY_BYTES)
		return error_set(&request->err, ERR_TOO_LARGE,
				 "the body is larger than the %llu bytes allowed",
				 LIMIT_BODY_BYTES);
	if (!server_take_memory(request, bytes))
		return error_set(&request->err, ERR_UNAVAILABLE,
				 "too many large requests are in progress");
	buf_append(&request->body, data, bytes);
	CHECK(!request->body.overflowed);
	return 0;
}

bool body_take(struct request *request, const char *data, size_t bytes)
{
	request->body_bytes += bytes;
	if (request->is_discarded)
		return request->body_bytes <= DISCARD_BYTES_MAX;
	if (is_too_slow(request))
		return false;
	int result = request->route->body == BODY_BLOB ? take_blob(request, data, bytes)
						       : take_text(request, data, bytes);
	if (result < 0) {
		fail(request);
		/* From here on the count is of what is dropped. */
		request->body_bytes = 0;
	}
	return true;
}

/* An upper bound of the values in a JSON text: what separates or opens them, outside of strings. */
static size_t count_values(const struct buf *text)
{
	size_t count = 1;
	bool in_string = false;

	for (size_t i = 0; i < text->bytes; i++) {
		char c = text->data[i];

		if (c == '"')
			in_string = !in_string;
		else if (in_string && c == '\\')
			i++;
		else if (!in_string)
			count += c == ',' || c == ':' || c == '[' || c == '{';
	}
	return count;
}

static int parse(struct request *request, struct error *err)
{
	const struct buf *body = &request->body;
	size_t values = count_values(body);

	if (values > LIMIT_BODY_VALUES)
		return error_set(err, ERR_TOO_LARGE,
				 "the body has more than the %d JSON values allowed",
				 LIMIT_BODY_VALUES);
	if (!server_take_memory(request, 2 * body->bytes + values * VALUE_MEMORY_BYTES))
		return error_set(err, ERR_UNAVAILABLE, "too many large requests are in progress");
	return json_parse(body->data, body->bytes, &request->json, err);
}

int body_finish(struct request *request, struct error *err)
{
	switch (request->route->body) {
	case BODY_BLOB:
		return 0;
	case BODY_JSON:
		if (request->body.bytes == 0)
			return error_set(err, ERR_INVALID, "the request has no body");
		return parse(request, err);
	case BODY_NONE:
		if (request->body.bytes == 0)
			return 0;
		if (parse(request, err) == 0 && json_is_object(request->json) &&
		    json_object_size(request->json) == 0)
			return 0;
		return error_set(err, ERR_INVALID, "this request takes no body");
	}
	UNREACHABLE();
}
