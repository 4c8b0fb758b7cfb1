#include "worker/timer.h"

#include "base/check.h"

static int on_timer(sd_event_source *source, uint64_t now_us, void *context)
{
	struct timer *timer = context;

	(void)source;
	(void)now_us;
	timer->on_fire(timer->context);
	return 0;
}

void timer_init(struct timer *timer, sd_event *event, int64_t priority,
		void (*on_fire)(void *context), void *context)
{
	*timer = (struct timer){.on_fire = on_fire, .context = context};
	/* Only memory or a foreign process could make these fail. */
	CHECK(sd_event_add_time_relative(event, &timer->source, CLOCK_BOOTTIME, 0, 1000, on_timer,
					 timer) >= 0);
	CHECK(sd_event_source_set_enabled(timer->source, SD_EVENT_OFF) >= 0);
	CHECK(sd_event_source_set_priority(timer->source, priority) >= 0);
}

void timer_release(struct timer *timer)
{
	timer->source = sd_event_source_disable_unref(timer->source);
}

void timer_arm(struct timer *timer, uint64_t delay_ms)
{
	CHECK(sd_event_source_set_time_relative(timer->source, delay_ms * 1000) >= 0);
	CHECK(sd_event_source_set_enabled(timer->source, SD_EVENT_ONESHOT) >= 0);
}

void timer_arm_if_idle(struct timer *timer, uint64_t delay_ms)
{
	if (!timer_is_armed(timer))
		timer_arm(timer, delay_ms);
}

void timer_disarm(struct timer *timer)
{
	(void)sd_event_source_set_enabled(timer->source, SD_EVENT_OFF);
}

bool timer_is_armed(const struct timer *timer)
{
	return sd_event_source_get_enabled(timer->source, NULL) > 0;
}

static int on_task(sd_event_source *source, void *context)
{
	struct task *task = context;

	(void)source;
	task_release(task);
	if (task->on_slice(task->context))
		task_wake(task);
	return 0;
}

void task_init(struct task *task, sd_event *event, int64_t priority,
	       bool (*on_slice)(void *context), void *context)
{
	*task = (struct task){
		.event = event,
		.priority = priority,
		.on_slice = on_slice,
		.context = context,
	};
}

void task_release(struct task *task)
{
	task->source = sd_event_source_disable_unref(task->source);
}

void task_wake(struct task *task)
{
	if (task->source)
		return;
	/* A new source each time: the loop serves the longest pending of equals first, and would
	 * take one that it knows for pending since it was made. */
	CHECK(sd_event_add_defer(task->event, &task->source, on_task, task) >= 0);
	CHECK(sd_event_source_set_priority(task->source, task->priority) >= 0);
}
