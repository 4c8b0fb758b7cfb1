/* What a follower is told: rows of query_log_follow into Server-Sent Events. Pure but for the rows.
 */
#pragma once

#include <stdbool.h>

#include "api/log_position.h"
#include "base/buf.h"

struct follow_progress {
	struct log_position position;
	unsigned streams;
	bool told_held;
	int64_t told_state; /* of the last state event; 0: none yet */
	int64_t told_attempt;
};

/* Columns of query_log_follow. */
enum follow_column {
	FOLLOW_POSITION,
	FOLLOW_SEQ,
	FOLLOW_STREAM,
	FOLLOW_START,
	FOLLOW_AT_US,
	FOLLOW_DATA,
	FOLLOW_JOB, /* rg.job_view */
};

#define FOLLOW_CHUNKS 4 /* at most of one follower, a turn */

/* Appends the events of rows [first, end), all of this follower. True: that was the last one. */
bool follow_events(struct follow_progress *progress, const PGresult *rows, int first, int end,
		   struct buf *out);
