/* What the API reads of a request before it knows who asks: path, query, range, and the small texts
 * in parameters and headers. The input is split at its first zero bytes. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/cursor.h"
#include "api/instant.h"
#include "api/log_position.h"
#include "api/query.h"
#include "api/range.h"
#include "api/routes.h"
#include "base/check.h"
#include "base/str.h"

static void try_path(const char *text, enum route_audience audience)
{
	CLEANUP(cleanup_free) char *path = xstrdup(text);
	struct route_match match;
	struct error err;

	for (enum http_method method = HTTP_GET; method < HTTP_METHOD_MAX; method++) {
		size_t bytes = strlen(text);

		memcpy(path, text, bytes + 1);
		if (route_find(routes, ROUTE_COUNT, audience, method, path, &match, &err) < 0)
			continue;
		CHECK(match.route == NULL || (match.route->audience & audience) != 0);
		for (size_t i = 0; i < match.arg_count; i++)
			CHECK(str_is_utf8(match.args[i], strlen(match.args[i])));
	}
}

static void try_query(const char *text)
{
	CLEANUP(cleanup_query) struct query query = {0};
	struct error err;

	if (query_parse(text, &query, &err) < 0)
		return;
	for (size_t i = 0; i < query.count; i++)
		CHECK(str_is_utf8(query.params[i].value, strlen(query.params[i].value)));
	(void)!query_check(&query, "state batch name label* cursor limit", &err);
}

static void try_range(const char *text)
{
	static const uint64_t sizes[] = {0, 1, 1000, UINT64_MAX};
	struct byte_range range;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		if (range_parse(text, sizes[i], &range) != RANGE_PART)
			continue;
		CHECK(range.bytes > 0);
		CHECK(range.first < sizes[i]);
		CHECK(range.bytes <= sizes[i] - range.first);
	}
}

static void try_small_texts(const char *text)
{
	char again[CURSOR_TEXT_BYTES];
	int64_t numbers[2];
	unsigned streams;
	struct error err;

	if (cursor_parse(text, CURSOR_RESULTS, numbers, 2, &err) == 0)
		CHECK(str_eq(cursor_format(CURSOR_RESULTS, numbers, 2, again), text));
	if (instant_parse(text, numbers, &err) == 0)
		CHECK(numbers[0] >= 0);
	if (log_event_id_parse(text, &numbers[0], &numbers[1], &err) == 0)
		CHECK(numbers[0] >= 1);
	(void)!log_streams_parse(text, &streams, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(cleanup_free) char *text = xcalloc(size + 1, 1);

	if (size > 0)
		memcpy(text, data, size);
	for (size_t at = 0; at < size; at += strlen(text + at) + 1) {
		try_path(text + at, AUDIENCE_BOTH);
		try_path(text + at, AUDIENCE_WORKERS);
		try_query(text + at);
		try_range(text + at);
		try_small_texts(text + at);
	}
	return 0;
}
