/* The output so far, as the body of an answer: read page by page while it is sent, whatever its
 * size. */
#pragma once

#include "api/log_position.h"

/* Takes its connections from `pool`, one page at a time. Never NULL. */
struct MHD_Response *log_stream_response(struct pg_pool *pool, const struct log_position *position,
					 unsigned streams);
