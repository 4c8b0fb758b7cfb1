/* A one-shot timer of the loop on CLOCK_BOOTTIME, so that a suspended machine's leases are seen to
 * have expired. Made disarmed. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

/* Urgency of what the worker does in its loop, most urgent first. The connection's own input lies
 * between LEASE and NORMAL. BULK is no less urgent than the end of a turn, where calls are sent:
 * under a flood of logs, which waits for answers to those, slices of copying and hashing still get
 * their turn. */
#define PRIORITY_LEASE	  (SD_EVENT_PRIORITY_NORMAL - 20) /* heartbeats, self-fence, signals */
#define PRIORITY_TURN_END (SD_EVENT_PRIORITY_NORMAL + 2)
#define PRIORITY_BULK	  (SD_EVENT_PRIORITY_NORMAL + 5)

struct timer {
	sd_event_source *source;
	void (*on_fire)(void *context);
	void *context;
};

/* The struct must stay where it is until timer_release. */
void timer_init(struct timer *timer, sd_event *event, int64_t priority,
		void (*on_fire)(void *context), void *context);
void timer_release(struct timer *timer);
void timer_arm(struct timer *timer, uint64_t delay_ms);
/* Keeps an earlier time. */
void timer_arm_if_idle(struct timer *timer, uint64_t delay_ms);
void timer_disarm(struct timer *timer);
bool timer_is_armed(const struct timer *timer);

/* Work that is done a slice at a time, after all that is more urgent and in turn with its equals;
 * also "once, at the end of this turn". Made idle. */
struct task {
	sd_event *event;
	int64_t priority;
	sd_event_source *source;	 /* NULL while idle */
	bool (*on_slice)(void *context); /* true: there is more */
	void *context;
};

void task_init(struct task *task, sd_event *event, int64_t priority,
	       bool (*on_slice)(void *context), void *context);
void task_release(struct task *task);
void task_wake(struct task *task);
