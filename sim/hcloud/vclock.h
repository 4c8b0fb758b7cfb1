/* The simulator's wall clock: every timestamp of the API, its Date header, the rate limit and the
 * bill follow it. It runs `rate` times as fast as the real one and can be moved forward, so that a
 * test sees a paid hour end without waiting for it. Actions, delays and other durations that a
 * client has to sit out are real time and do not use it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct vclock {
	int64_t wall_us;      /* what it showed … */
	uint64_t boottime_us; /* … at this moment */
	uint64_t rate;
};

void vclock_init(struct vclock *clock, int64_t wall_us, uint64_t rate);
int64_t vclock_now_us(const struct vclock *clock); /* since 1970, UTC */
void vclock_set_rate(struct vclock *clock, uint64_t rate);
void vclock_advance(struct vclock *clock, uint64_t us);

#define VCLOCK_TEXT_BYTES 32
/* "2016-01-30T23:55:00+00:00", as the API writes it; returns out. */
const char *vclock_format(int64_t wall_us, char out[VCLOCK_TEXT_BYTES]);
/* "Sat, 30 Jan 2016 23:55:00 GMT", for the Date header; returns out. */
const char *vclock_format_http(int64_t wall_us, char out[VCLOCK_TEXT_BYTES]);
/* The other way: a time with or without fractions, of "Z", of an offset, or, without either, of
 * UTC. False for what is none. */
bool vclock_parse(const char *text, int64_t *ret_wall_us);
