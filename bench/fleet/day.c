#include "day.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "core/billing.h"

#define DAY_S	    86400
#define BEGIN_US    INT64_C(1800000000000000)
#define BURST_GAP_S 3600 /* at most, between bursts */

static uint64_t random_below(uint64_t *state, uint64_t bound)
{
	*state = *state * 6364136223846793005U + 1442695040888963407U;
	return (*state >> 33) % bound;
}

static int by_arrival(const void *a, const void *b)
{
	const struct day_job *one = a;
	const struct day_job *other = b;
	return (one->arrives_us > other->arrives_us) - (one->arrives_us < other->arrives_us);
}

static void add_job(struct day *day, size_t *capacity, int64_t at_s, uint64_t *state)
{
	if (day->job_count == *capacity) {
		*capacity = *capacity == 0 ? 1024 : *capacity * 2;
		day->jobs = xreallocarray(day->jobs, *capacity, sizeof(*day->jobs));
	}
	/* Most are short, some take ten times as long. */
	uint64_t lasts_s = 10 + random_below(state, 170);
	if (random_below(state, 10) == 0)
		lasts_s *= 10;
	day->jobs[day->job_count++] =
		(struct day_job){.arrives_us = BEGIN_US + at_s * DAY_SECOND_US,
				 .lasts_us = (int64_t)lasts_s * DAY_SECOND_US};
	day->work_us += (int64_t)lasts_s * DAY_SECOND_US;
}

void day_init(struct day *day, uint64_t max, uint64_t seed)
{
	uint64_t state = seed;
	size_t capacity = 0;
	*day = (struct day){.max = max};
	/* Bursts of up to three jobs for each worker, and a trickle between them. */
	for (int64_t at_s = 60; at_s < DAY_S;
	     at_s += 300 + (int64_t)random_below(&state, BURST_GAP_S)) {
		uint64_t count = 1 + random_below(&state, max * 3);
		for (uint64_t i = 0; i < count; i++)
			add_job(day, &capacity, at_s + (int64_t)random_below(&state, 60), &state);
	}
	for (uint64_t i = 0; i < max * 6; i++)
		add_job(day, &capacity, (int64_t)random_below(&state, DAY_S), &state);
	qsort(day->jobs, day->job_count, sizeof(*day->jobs), by_arrival);
	day_restart(day);
}

void day_restart(struct day *day)
{
	day->now_us = BEGIN_US;
	day->arrived_count = 0;
	day->started_count = 0;
	day->worker_count = 0;
	day->last_id = 0;
	day->paid_micros = 0;
	day->created_count = 0;
}

void day_release(struct day *day)
{
	free(day->jobs);
	free(day->workers);
}

size_t day_waiting(const struct day *day)
{
	return day->arrived_count - day->started_count;
}

bool day_is_busy(const struct day *day, const struct day_worker *worker)
{
	return worker->busy_until_us > day->now_us;
}

bool day_is_up(const struct day *day, const struct day_worker *worker)
{
	return worker->joined_us <= day->now_us;
}

void day_create(struct day *day)
{
	CHECK(day->worker_count < day->max);
	if (day->worker_count == day->worker_capacity) {
		day->worker_capacity = day->worker_capacity == 0 ? 64 : day->worker_capacity * 2;
		day->workers =
			xreallocarray(day->workers, day->worker_capacity, sizeof(*day->workers));
	}
	day->workers[day->worker_count++] =
		(struct day_worker){.id = ++day->last_id,
				    .created_us = day->now_us,
				    .joined_us = day->now_us + DAY_BOOT_US,
				    .idle_since_us = day->now_us + DAY_BOOT_US};
	day->created_count++;
}

void day_delete(struct day *day, size_t place)
{
	CHECK(!day_is_busy(day, &day->workers[place]));
	day->paid_micros +=
		billing_cost(DAY_PRICE_MICROS, billing_hours_started(day->workers[place].created_us,
								     day->now_us, BILLING_HOUR_US));
	day->workers[place] = day->workers[--day->worker_count];
}

bool day_step(struct day *day)
{
	day->now_us += DAY_TICK_US;
	while (day->arrived_count < day->job_count &&
	       day->jobs[day->arrived_count].arrives_us <= day->now_us)
		day->arrived_count++;
	for (size_t i = 0; i < day->worker_count && day_waiting(day) > 0; i++) {
		struct day_worker *worker = &day->workers[i];
		if (worker->drain != 0 || !day_is_up(day, worker) || day_is_busy(day, worker))
			continue;
		struct day_job *job = &day->jobs[day->started_count++];
		job->starts_us = day->now_us;
		worker->busy_until_us = day->now_us + job->lasts_us;
		worker->idle_since_us = worker->busy_until_us;
	}
	return day->worker_count > 0 || day->started_count < day->job_count;
}

static int by_value(const void *a, const void *b)
{
	int64_t one = *(const int64_t *)a;
	int64_t other = *(const int64_t *)b;
	return (one > other) - (one < other);
}

void day_result(const struct day *day, struct day_result *ret)
{
	CLEANUP(cleanup_free) int64_t *waits = xcalloc(day->job_count + 1, sizeof(*waits));
	double sum = 0;
	for (size_t i = 0; i < day->job_count; i++) {
		waits[i] = day->jobs[i].starts_us - day->jobs[i].arrives_us;
		sum += (double)waits[i];
	}
	qsort(waits, day->job_count, sizeof(*waits), by_value);
	ret->euros = (double)day->paid_micros / 1e6;
	ret->bound_euros = (double)day->work_us / (double)BILLING_HOUR_US * DAY_PRICE_MICROS / 1e6;
	ret->wait_mean_s = sum / (double)day->job_count / 1e6;
	size_t at_95 = day->job_count * 95 / 100;
	ret->wait_95_s = (double)waits[at_95] / 1e6;
	ret->servers = day->created_count;
}
