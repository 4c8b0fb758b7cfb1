/* The answer of a list: {"items": […], "next_cursor": …}. */
#pragma once

#include <jansson.h>

#include "api/cursor.h"
#include "api/request.h"

/* Position and size of the page asked for. Without a cursor the position is `start`. */
MUST_CHECK int page_read(const struct request *request, enum cursor_kind kind, int64_t start,
			 int64_t *ret_position, int64_t *ret_limit, struct error *err);
/* Takes over `items`; `cursor` NULL: the end. Adds the Link header. Returns 0. */
int page_reply(const struct request *request, struct reply *reply, json_t *items,
	       const char *cursor);
/* As page_reply for lists ordered by one id: there is more if the page is full. */
int page_reply_by_id(const struct request *request, struct reply *reply, json_t *items,
		     enum cursor_kind kind, int64_t limit, int64_t last_id);
