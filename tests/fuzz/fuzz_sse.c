/* Any bytes as an event stream: the events are the same whether it comes whole or cut anywhere, and
 * nothing outgrows its maximum. The first byte says where it is cut. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "cli/sse.h"

struct record {
	struct sha256 *digest;
	uint64_t count;
};

static bool take(void *context, const struct sse_event *event)
{
	struct record *record = context;

	CHECK(strlen(event->type) < SSE_NAME_BYTES);
	CHECK(strlen(event->id) < SSE_ID_BYTES);
	CHECK(event->data_bytes <= SSE_EVENT_BYTES_MAX);
	sha256_update(record->digest, event->type, strlen(event->type) + 1);
	sha256_update(record->digest, event->id, strlen(event->id) + 1);
	sha256_update(record->digest, event->data, event->data_bytes);
	sha256_update(record->digest, &event->data_bytes, sizeof(event->data_bytes));
	record->count++;
	return true;
}

static uint64_t events_of(const char *data, size_t bytes, size_t piece_bytes,
			  uint8_t ret[SHA256_BYTES])
{
	struct record record = {.digest = sha256_new()};
	struct sse_parser parser;

	sse_init(&parser, take, &record);
	for (size_t at = 0; at < bytes; at += piece_bytes) {
		size_t piece = piece_bytes < bytes - at ? piece_bytes : bytes - at;

		CHECK(sse_feed(&parser, data + at, piece));
	}
	sse_release(&parser);
	sha256_finish(record.digest, ret);
	sha256_free(record.digest);
	return record.count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	uint8_t whole[SHA256_BYTES], cut[SHA256_BYTES];
	const char *stream = (const char *)data + 1;

	if (bytes < 2)
		return 0;
	CHECK(events_of(stream, bytes - 1, bytes, whole) ==
	      events_of(stream, bytes - 1, 1 + data[0] % 16, cut));
	CHECK(memcmp(whole, cut, SHA256_BYTES) == 0);
	return 0;
}
