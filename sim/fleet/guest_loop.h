/* The loop of a simulated worker: what src/worker/timer.h, base/clock.h and base/rand.h are to the
 * real one, under the simulation's clock and chance. The worker's own files (meson.build) are
 * compiled against it, and take it for an sd_event. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fleet/prng.h"
#include "worker/timer.h"

#define GUEST_TIMERS_MAX 128
#define GUEST_TASKS_MAX	 4

struct guest_timer {
	struct timer *timer; /* NULL: free */
	struct guest_loop *loop;
	int64_t due_us; /* 0: disarmed */
};

struct guest_loop {
	const int64_t *clock_us;
	struct prng *prng;
	bool is_slow; /* a plant: everything takes twice as long */
	struct guest_timer timers[GUEST_TIMERS_MAX];
	size_t timer_count; /* all beyond are free */
	struct task *tasks[GUEST_TASKS_MAX];
	size_t task_count;
};

void guest_loop_init(struct guest_loop *loop, const int64_t *clock_us, struct prng *prng,
		     bool is_slow);
/* What the worker's files take for theirs. */
sd_event *guest_loop_event(struct guest_loop *loop);
/* Whose clock and chance it is from now on. Before every call into the worker. */
void guest_loop_enter(struct guest_loop *loop);
/* Fires what is due, then runs what that has set going, until nothing is left to do now. */
void guest_loop_run(struct guest_loop *loop);
/* When it is to run again; INT64_MAX: never. */
int64_t guest_loop_next_us(const struct guest_loop *loop);

/* Under these names the worker's files find clock_boottime_ms, rand_u64 and rand_below. */
uint64_t guest_clock_ms(void);
uint64_t guest_rand_u64(void);
uint64_t guest_rand_below(uint64_t bound);
