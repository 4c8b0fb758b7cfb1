/* Server-Sent Events, parsed as the bytes arrive (WHATWG HTML, section 9.2): lines end with CR, LF
 * or CRLF, wherever the pieces are cut; comments and unknown fields are skipped; an event without
 * data is not delivered. The stream is hostile: lines and events beyond their maximum end the
 * parse. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define SSE_EVENT_BYTES_MAX (4ULL * 1024 * 1024)
#define SSE_NAME_BYTES	    64
#define SSE_ID_BYTES	    128

struct sse_event {
	const char *type; /* "message" if the stream named none */
	const char *id;	  /* its own or the last before it, "" if none */
	const char *data;
	size_t data_bytes;
};

struct sse_parser {
	struct buf line;
	struct buf data;
	char type[SSE_NAME_BYTES];
	char id[SSE_ID_BYTES];	       /* of the last whole event: where to resume */
	char pending_id[SSE_ID_BYTES]; /* of the event being received */
	bool has_data;
	bool after_cr;	/* a LF that follows belongs to the CR before it */
	bool at_start;	/* a byte order mark may come */
	bool stopped;	/* the callback asked for it */
	bool too_large; /* the stream broke a maximum */
	bool (*on_event)(void *context, const struct sse_event *event); /* false: stop */
	void *context;
};

void sse_init(struct sse_parser *parser,
	      bool (*on_event)(void *context, const struct sse_event *event), void *context);
void sse_release(struct sse_parser *parser);
#define cleanup_sse sse_release
/* Begins a new connection's stream; forgets a half-received event. */
void sse_restart(struct sse_parser *parser);
/* False once stopped or too_large: the rest of the stream is of no use. */
bool sse_feed(struct sse_parser *parser, const char *data, size_t bytes);
