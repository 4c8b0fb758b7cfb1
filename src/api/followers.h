/* Event streams of jobs: one thread reads new output and states for all of them with one query a
 * turn, so that a follower costs no thread and no connection to the database. Its connection is
 * suspended while there is nothing to send. */
#pragma once

#include "api/log_position.h"

struct followers;

struct followers *followers_start(const char *conninfo);
/* Ends all streams (clients reconnect elsewhere) and takes no more. */
void followers_end_all(struct followers *followers);
/* Ends the thread. No stream may begin or go on any more. */
void followers_stop(struct followers *followers);
void followers_free(struct followers *followers);

/* Answers the request with a stream from `position` on. ERR_UNAVAILABLE when there are too many. */
MUST_CHECK int followers_add(struct request *request, const struct log_position *position,
			     unsigned streams, struct reply *reply, struct error *err);
size_t followers_count(struct followers *followers);
