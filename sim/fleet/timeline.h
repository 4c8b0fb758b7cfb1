/* What is still to happen, in the order of (time, sequence): a binary heap. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum event_kind { EVENT_STEP = 1, EVENT_SUBMIT, EVENT_HOST, EVENT_FAULT, EVENT_REGRET, EVENT_CALM };

struct event {
	int64_t at_us;
	uint64_t sequence; /* given by timeline_add: equal times keep their order */
	enum event_kind kind;
	size_t who;
	uint64_t generation; /* of who: events for one that is gone are dropped */
};

struct timeline {
	struct event *events;
	size_t count, capacity;
	uint64_t sequence;
};

void timeline_release(struct timeline *timeline);
void timeline_add(struct timeline *timeline, struct event event);
/* The next one, if it is not after until_us. */
bool timeline_next(struct timeline *timeline, int64_t until_us, struct event *ret);
