/* A day of bursty load on a fleet that is paid by the started hour, stepped in virtual time. Rules
 * decide who is created and deleted; everything else is the same for all of them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/fleet.h"

#define DAY_SECOND_US	 INT64_C(1000000)
#define DAY_TICK_US	 (10 * DAY_SECOND_US)
#define DAY_BOOT_US	 (60 * DAY_SECOND_US)
#define DAY_PRICE_MICROS 8800

struct day_job {
	int64_t arrives_us;
	int64_t lasts_us;
	int64_t starts_us;
};

struct day_worker {
	int64_t id;
	int64_t created_us;
	int64_t joined_us; /* when it has booted */
	int64_t busy_until_us;
	int64_t idle_since_us;
	enum fleet_drain drain; /* 0: takes jobs */
	int64_t drain_us;
};

struct day {
	struct day_job *jobs; /* by arrival */
	size_t job_count, arrived_count, started_count;
	int64_t work_us; /* of all jobs */
	int64_t now_us;
	uint64_t max; /* workers */
	struct day_worker *workers;
	size_t worker_count, worker_capacity;
	int64_t last_id;
	int64_t paid_micros; /* of deleted workers */
	size_t created_count;
};

/* The load of a fleet of up to `max` workers of one slot; the same seed gives the same day. */
void day_init(struct day *day, uint64_t max, uint64_t seed);
void day_release(struct day *day);
/* Forgets what a rule has done. */
void day_restart(struct day *day);
/* Time passes until the next tick: workers boot, jobs arrive, end, and start. False: all is over.
 */
bool day_step(struct day *day);

size_t day_waiting(const struct day *day);
bool day_is_busy(const struct day *day, const struct day_worker *worker);
bool day_is_up(const struct day *day, const struct day_worker *worker);
void day_create(struct day *day);
/* The last worker takes its place. */
void day_delete(struct day *day, size_t place);

struct day_result {
	double euros;
	double bound_euros; /* every paid second used */
	double wait_mean_s, wait_95_s;
	size_t servers;
};
void day_result(const struct day *day, struct day_result *ret);
