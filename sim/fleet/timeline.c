#include "fleet/timeline.h"

#include <stdlib.h>

#include "base/cleanup.h"

void timeline_release(struct timeline *timeline)
{
	free(timeline->events);
	*timeline = (struct timeline){0};
}

static bool before(const struct event *one, const struct event *other)
{
	if (one->at_us != other->at_us)
		return one->at_us < other->at_us;
	return one->sequence < other->sequence;
}

void timeline_add(struct timeline *timeline, struct event event)
{
	if (timeline->count == timeline->capacity) {
		timeline->capacity = timeline->capacity == 0 ? 64 : timeline->capacity * 2;
		timeline->events = xreallocarray(timeline->events, timeline->capacity,
						 sizeof(*timeline->events));
	}
	event.sequence = timeline->sequence++;
	size_t place = timeline->count++;
	while (place > 0 && before(&event, &timeline->events[(place - 1) / 2])) {
		timeline->events[place] = timeline->events[(place - 1) / 2];
		place = (place - 1) / 2;
	}
	timeline->events[place] = event;
}

static void drop_first(struct timeline *timeline)
{
	struct event last = timeline->events[--timeline->count];
	size_t place = 0;
	for (;;) {
		size_t child = 2 * place + 1;
		if (child >= timeline->count)
			break;
		if (child + 1 < timeline->count &&
		    before(&timeline->events[child + 1], &timeline->events[child]))
			child++;
		if (!before(&timeline->events[child], &last))
			break;
		timeline->events[place] = timeline->events[child];
		place = child;
	}
	timeline->events[place] = last;
}

bool timeline_next(struct timeline *timeline, int64_t until_us, struct event *ret)
{
	if (timeline->count == 0 || timeline->events[0].at_us > until_us)
		return false;
	*ret = timeline->events[0];
	drop_first(timeline);
	return true;
}
