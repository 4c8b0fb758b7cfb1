#include "cli/sse.h"

#include "tap.h"

#define RECORD_BYTES 512

struct record {
	char text[RECORD_BYTES]; /* "type|id|data;" for each event */
	int stop_after;
	int count;
};

static bool take(void *context, const struct sse_event *event)
{
	struct record *record = context;
	size_t used = strlen(record->text);

	(void)snprintf(record->text + used, RECORD_BYTES - used, "%s|%s|%.*s;", event->type,
		       event->id, (int)event->data_bytes, event->data);
	return ++record->count != record->stop_after;
}

/* Feeds `stream` in pieces of `piece_bytes`. */
static void expect_events(const char *stream, size_t piece_bytes, const char *expected)
{
	struct record record = {0};
	struct sse_parser parser;
	size_t left = strlen(stream);

	sse_init(&parser, take, &record);
	while (left > 0) {
		size_t bytes = piece_bytes < left ? piece_bytes : left;

		EXPECT(sse_feed(&parser, stream, bytes));
		stream += bytes;
		left -= bytes;
	}
	EXPECT_STR(record.text, expected);
	sse_release(&parser);
}

TEST(events_are_the_same_however_they_are_cut)
{
	static const char stream[] = "\xef\xbb\xbfid: 1\nevent: log\ndata: a\ndata:b\n\n"
				     ": a comment\r\n\r\n"
				     "id:2\rdata:  two\r\rretry: 10\nunknown: x\ndata\n\n"
				     "event: none\n\ndata: plain\r\n\r\n";
	static const char expected[] = "log|1|a\nb;message|2| two;message|2|;message|2|plain;";

	for (size_t piece = 1; piece < sizeof(stream); piece++)
		expect_events(stream, piece, expected);
}

TEST(an_unfinished_event_is_not_delivered_and_its_id_not_kept)
{
	struct record record = {0};
	struct sse_parser parser;

	sse_init(&parser, take, &record);
	EXPECT(sse_feed(&parser, "id: 1\ndata: a\n\nid: 2\ndata: b\n", 30));
	EXPECT_STR(record.text, "message|1|a;");
	EXPECT_STR(parser.id, "1");
	sse_restart(&parser);
	EXPECT(sse_feed(&parser, "data: c\n\n", 9));
	EXPECT_STR(record.text, "message|1|a;message|1|c;");
	sse_release(&parser);
}

TEST(the_callback_can_stop_it)
{
	struct record record = {.stop_after = 1};
	struct sse_parser parser;

	sse_init(&parser, take, &record);
	EXPECT(!sse_feed(&parser, "data: a\n\ndata: b\n\n", 18));
	EXPECT_INT(record.count, 1);
	EXPECT(!sse_feed(&parser, "data: c\n\n", 9));
	EXPECT_INT(record.count, 1);
	sse_release(&parser);
}

TEST(an_endless_line_ends_the_parse)
{
	static char filler[65536];
	struct record record = {0};
	struct sse_parser parser;
	size_t fed = 0;

	memset(filler, 'x', sizeof(filler));
	sse_init(&parser, take, &record);
	while (sse_feed(&parser, filler, sizeof(filler))) {
		fed += sizeof(filler);
		EXPECT(fed <= SSE_EVENT_BYTES_MAX);
	}
	EXPECT(parser.too_large);
	sse_release(&parser);
}

TEST(endless_data_ends_the_parse)
{
	struct record record = {0};
	struct sse_parser parser;
	size_t fed = 0;

	sse_init(&parser, take, &record);
	while (sse_feed(&parser, "data: 0123456789abcdef\n", 23)) {
		fed += 17;
		EXPECT(fed <= SSE_EVENT_BYTES_MAX + 17);
	}
	EXPECT(parser.too_large);
	sse_release(&parser);
}
