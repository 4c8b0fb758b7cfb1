#include "cli/sse.h"

#include <string.h>

void sse_init(struct sse_parser *parser,
	      bool (*on_event)(void *context, const struct sse_event *event), void *context)
{
	*parser = (struct sse_parser){.on_event = on_event, .context = context, .at_start = true};
	buf_init(&parser->line, SSE_EVENT_BYTES_MAX);
	buf_init(&parser->data, SSE_EVENT_BYTES_MAX);
}

void sse_release(struct sse_parser *parser)
{
	buf_release(&parser->line);
	buf_release(&parser->data);
}

static void forget_event(struct sse_parser *parser)
{
	buf_clear(&parser->data);
	parser->has_data = false;
	parser->type[0] = '\0';
}

void sse_restart(struct sse_parser *parser)
{
	buf_clear(&parser->line);
	forget_event(parser);
	memcpy(parser->pending_id, parser->id, sizeof(parser->id));
	parser->after_cr = false;
	parser->at_start = true;
}

static void dispatch(struct sse_parser *parser)
{
	struct sse_event event = {
		.type = parser->type[0] ? parser->type : "message",
		.id = parser->id,
		.data = parser->data.data,
		.data_bytes = parser->data.bytes,
	};

	/* Only now: an event cut off in the middle must come again after a reconnect. */
	memcpy(parser->id, parser->pending_id, sizeof(parser->id));
	if (parser->has_data && !parser->on_event(parser->context, &event))
		parser->stopped = true;
	forget_event(parser);
}

/* Overlong names and ids are not ours: the name then matches nothing, the id is not taken. */
static void copy_bounded(char *out, size_t size, const char *value, size_t bytes)
{
	if (bytes >= size || memchr(value, '\0', bytes))
		return;
	memcpy(out, value, bytes);
	out[bytes] = '\0';
}

static void take_field(struct sse_parser *parser, const char *name, size_t name_bytes,
		       const char *value, size_t value_bytes)
{
	if (name_bytes == 4 && memcmp(name, "data", 4) == 0) {
		if (parser->has_data)
			buf_append_char(&parser->data, '\n');
		buf_append(&parser->data, value, value_bytes);
		parser->has_data = true;
	} else if (name_bytes == 5 && memcmp(name, "event", 5) == 0) {
		copy_bounded(parser->type, sizeof(parser->type), value, value_bytes);
	} else if (name_bytes == 2 && memcmp(name, "id", 2) == 0) {
		copy_bounded(parser->pending_id, sizeof(parser->pending_id), value, value_bytes);
	}
}

static void take_line(struct sse_parser *parser)
{
	const char *line = parser->line.data;
	size_t bytes = parser->line.bytes;
	const char *colon;

	if (parser->at_start && bytes >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0) {
		line += 3;
		bytes -= 3;
	}
	parser->at_start = false;
	colon = memchr(line, ':', bytes);
	if (bytes == 0) {
		dispatch(parser);
	} else if (!colon) {
		take_field(parser, line, bytes, "", 0);
	} else if (colon > line) {
		size_t name_bytes = (size_t)(colon - line);
		const char *value = colon + 1;
		size_t value_bytes = bytes - name_bytes - 1;

		if (value_bytes > 0 && *value == ' ') {
			value++;
			value_bytes--;
		}
		take_field(parser, line, name_bytes, value, value_bytes);
	}
	buf_clear(&parser->line);
}

static size_t bytes_to_line_end(const char *data, size_t bytes)
{
	const char *lf = memchr(data, '\n', bytes);
	size_t limit = lf ? (size_t)(lf - data) : bytes;
	const char *cr = memchr(data, '\r', limit);

	return cr ? (size_t)(cr - data) : limit;
}

bool sse_feed(struct sse_parser *parser, const char *data, size_t bytes)
{
	while (bytes > 0 && !parser->stopped && !parser->too_large) {
		size_t text_bytes;

		if (parser->after_cr && *data == '\n') {
			parser->after_cr = false;
			data++;
			bytes--;
			continue;
		}
		parser->after_cr = false;
		text_bytes = bytes_to_line_end(data, bytes);
		buf_append(&parser->line, data, text_bytes);
		data += text_bytes;
		bytes -= text_bytes;
		if (bytes > 0) {
			parser->after_cr = *data == '\r';
			data++;
			bytes--;
			take_line(parser);
		}
		if (parser->line.overflowed || parser->data.overflowed)
			parser->too_large = true;
	}
	return !parser->stopped && !parser->too_large;
}
