#include "fleet/guest_loop.h"

#include "base/check.h"

/* The simulation has one thread. */
static struct guest_loop *current;

void guest_loop_init(struct guest_loop *loop, const int64_t *clock_us, struct prng *prng,
		     bool is_slow)
{
	*loop = (struct guest_loop){.clock_us = clock_us, .prng = prng, .is_slow = is_slow};
}

sd_event *guest_loop_event(struct guest_loop *loop)
{
	return (sd_event *)(void *)loop;
}

void guest_loop_enter(struct guest_loop *loop)
{
	current = loop;
}

static struct guest_timer *next_timer(struct guest_loop *loop)
{
	struct guest_timer *next = NULL;
	for (size_t i = 0; i < loop->timer_count; i++) {
		struct guest_timer *timer = &loop->timers[i];
		if (timer->timer != NULL && timer->due_us != 0 &&
		    (next == NULL || timer->due_us < next->due_us))
			next = timer;
	}
	return next;
}

int64_t guest_loop_next_us(const struct guest_loop *loop)
{
	int64_t next_us = INT64_MAX;
	for (size_t i = 0; i < loop->timer_count; i++) {
		const struct guest_timer *timer = &loop->timers[i];
		if (timer->timer != NULL && timer->due_us != 0 && timer->due_us < next_us)
			next_us = timer->due_us;
	}
	return loop->task_count > 0 ? *loop->clock_us : next_us;
}

static void run_tasks(struct guest_loop *loop)
{
	while (loop->task_count > 0) {
		struct task *task = loop->tasks[0];
		task_release(task);
		if (task->on_slice(task->context))
			task_wake(task);
	}
}

void guest_loop_run(struct guest_loop *loop)
{
	struct guest_timer *due = NULL;
	guest_loop_enter(loop);
	for (;;) {
		run_tasks(loop);
		due = next_timer(loop);
		if (due == NULL || due->due_us > *loop->clock_us)
			return;
		due->due_us = 0;
		due->timer->on_fire(due->timer->context);
	}
}

uint64_t guest_clock_ms(void)
{
	uint64_t now_ms = (uint64_t)*current->clock_us / 1000;
	return current->is_slow ? now_ms / 2 : now_ms;
}

uint64_t guest_rand_u64(void)
{
	return prng_u64(current->prng);
}

uint64_t guest_rand_below(uint64_t bound)
{
	return prng_below(current->prng, bound);
}

/* worker/timer.h */

static struct guest_timer *guest_of(const struct timer *timer)
{
	return (struct guest_timer *)(void *)timer->source;
}

void timer_init(struct timer *timer, sd_event *event, int64_t priority,
		void (*on_fire)(void *context), void *context)
{
	struct guest_loop *loop = (struct guest_loop *)(void *)event;
	size_t place = 0;
	(void)priority;
	while (place < loop->timer_count && loop->timers[place].timer != NULL)
		place++;
	CHECK(place < GUEST_TIMERS_MAX);
	loop->timers[place] = (struct guest_timer){.timer = timer, .loop = loop};
	loop->timer_count += place == loop->timer_count;
	*timer = (struct timer){.source = (sd_event_source *)(void *)&loop->timers[place],
				.on_fire = on_fire,
				.context = context};
}

void timer_release(struct timer *timer)
{
	if (timer->source == NULL)
		return;
	*guest_of(timer) = (struct guest_timer){0};
	timer->source = NULL;
}

/* At its time, and not before the clock has moved on. */
void timer_arm(struct timer *timer, uint64_t delay_ms)
{
	struct guest_timer *guest = guest_of(timer);
	int64_t delay_us = delay_ms == 0 ? 1 : (int64_t)delay_ms * 1000;
	guest->due_us = *guest->loop->clock_us + (guest->loop->is_slow ? 2 * delay_us : delay_us);
}

void timer_arm_if_idle(struct timer *timer, uint64_t delay_ms)
{
	if (!timer_is_armed(timer))
		timer_arm(timer, delay_ms);
}

void timer_disarm(struct timer *timer)
{
	guest_of(timer)->due_us = 0;
}

bool timer_is_armed(const struct timer *timer)
{
	return guest_of(timer)->due_us != 0;
}

void task_init(struct task *task, sd_event *event, int64_t priority,
	       bool (*on_slice)(void *context), void *context)
{
	*task = (struct task){
		.event = event, .priority = priority, .on_slice = on_slice, .context = context};
}

void task_release(struct task *task)
{
	struct guest_loop *loop = (struct guest_loop *)(void *)task->event;
	size_t kept = 0;
	for (size_t i = 0; i < loop->task_count; i++) {
		if (loop->tasks[i] != task)
			loop->tasks[kept++] = loop->tasks[i];
	}
	loop->task_count = kept;
	task->source = NULL;
}

void task_wake(struct task *task)
{
	struct guest_loop *loop = (struct guest_loop *)(void *)task->event;
	if (task->source != NULL)
		return;
	CHECK(loop->task_count < GUEST_TASKS_MAX);
	loop->tasks[loop->task_count++] = task;
	task->source = (sd_event_source *)(void *)task; /* marks it as waiting */
}
