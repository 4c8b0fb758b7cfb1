#include "rules.h"

#include <stdio.h>

#include "base/check.h"
#include "core/billing.h"

#define POLL_US	       (60 * DAY_SECOND_US)
#define TICKS_A_CREATE 40 /* the real loop ticks four times a second while it acts */

/* Creates what waits and does not boot yet. */
static void create_for_waiting(struct day *day)
{
	size_t booting = 0;
	for (size_t i = 0; i < day->worker_count; i++)
		booting += !day_is_up(day, &day->workers[i]);
	for (size_t i = booting; i < day_waiting(day) && day->worker_count < day->max; i++)
		day_create(day);
}

static void delete_idle(struct day *day, int64_t idle_us)
{
	for (size_t i = day->worker_count; i > 0; i--) {
		const struct day_worker *worker = &day->workers[i - 1];
		if (day_is_up(day, worker) && !day_is_busy(day, worker) &&
		    day->now_us - worker->idle_since_us >= idle_us)
			day_delete(day, i - 1);
	}
}

/* Looks once a minute; who is idle then goes. */
static void run_poll(struct day *day)
{
	while (day_step(day)) {
		if (day->now_us % POLL_US != 0)
			continue;
		create_for_waiting(day);
		if (day_waiting(day) == 0)
			delete_idle(day, 1);
	}
}

static void run_idle_10(struct day *day)
{
	while (day_step(day)) {
		create_for_waiting(day);
		delete_idle(day, 600 * DAY_SECOND_US);
	}
}

static void run_idle_50(struct day *day)
{
	while (day_step(day)) {
		create_for_waiting(day);
		delete_idle(day, 3000 * DAY_SECOND_US);
	}
}

/* Knows every arrival. Who is there when a job comes has been ordered a boot before it; as many
 * more as are idle go where their paid hour ends. No rule that has to wait for a job to see it
 * comes to less waiting at this price: what it costs is what hours cost that nobody can share. */
static void run_oracle(struct day *day)
{
	while (day_step(day)) {
		int64_t then_us = day->now_us + DAY_BOOT_US;
		size_t due = day->arrived_count;
		size_t able = 0;

		while (due < day->job_count && day->jobs[due].arrives_us <= then_us)
			due++;
		size_t wanted = due - day->started_count;
		for (size_t i = 0; i < day->worker_count; i++)
			able += day->workers[i].busy_until_us <= then_us;
		for (; able < wanted && day->worker_count < day->max; able++)
			day_create(day);
		for (size_t i = day->worker_count; i > 0; i--) {
			const struct day_worker *worker = &day->workers[i - 1];
			int64_t used_us = (day->now_us - worker->created_us) % BILLING_HOUR_US;

			if (able <= wanted || day_is_busy(day, worker) ||
			    used_us < BILLING_HOUR_US - DAY_TICK_US)
				continue;
			day_delete(day, i - 1);
			able--;
		}
	}
}

static void see(const struct day *day, struct fleet_world *world)
{
	const struct fleet_shape shape = {
		.cpu_millis = 1000, .memory_bytes = GIB, .count = day_waiting(day), .oldest_ms = 1};
	fleet_world_clear(world);
	world->now_us = day->now_us;
	struct fleet_choice *choice = fleet_world_add_choice(world);
	CHECK(choice != NULL);
	(void)snprintf(choice->server_type, sizeof(choice->server_type), "cx23");
	choice->price_hour_micros = DAY_PRICE_MICROS;
	if (shape.count > 0)
		fleet_world_add_shape(world, &shape);
	for (size_t i = 0; i < day->worker_count; i++) {
		const struct day_worker *worker = &day->workers[i];
		bool is_up = day_is_up(day, worker);
		struct fleet_worker *seen = fleet_world_add_worker(world);
		CHECK(seen != NULL);
		*seen = (struct fleet_worker){
			.id = worker->id,
			.state = worker->drain != 0 ? WORKER_DRAINING
				 : is_up	    ? WORKER_ACTIVE
						    : WORKER_PROVISIONING,
			.created_us = worker->created_us,
			.joined_us = is_up ? worker->joined_us : 0,
			.idle_since_us = worker->idle_since_us,
			.slots = 1,
			.busy_slots = day_is_busy(day, worker),
			.price_hour_micros = DAY_PRICE_MICROS,
			.server_id = worker->id,
			.server_created_us = worker->created_us,
			.drain = worker->drain,
			.drain_us = worker->drain_us,
		};
	}
}

/* Workers lie in no order of their ids: places are found by them, decisions come in their order. */
static size_t place_of(const struct day *day, int64_t id, const size_t *places)
{
	size_t place = places[(size_t)id];
	CHECK(place < day->worker_count && day->workers[place].id == id);
	return place;
}

static void act(struct day *day, const struct fleet_plan *plan, size_t *places)
{
	for (size_t i = 0; i < day->worker_count; i++)
		places[day->workers[i].id] = i;
	for (size_t i = 0; i < plan->action_count; i++) {
		const struct fleet_action *action = &plan->actions[i];
		if (action->kind == FLEET_CREATE_WORKER) {
			day_create(day);
			places[day->last_id] = day->worker_count - 1;
			continue;
		}
		size_t place = place_of(day, action->worker_id, places);
		struct day_worker *worker = &day->workers[place];
		if (action->kind == FLEET_DRAIN_WORKER) {
			worker->drain = action->drain;
			worker->drain_us = day->now_us;
		} else if (action->kind == FLEET_UNDRAIN_WORKER) {
			worker->drain = 0;
		} else {
			CHECK(action->kind == FLEET_DELETE_WORKER);
			places[day->workers[day->worker_count - 1].id] = place;
			day_delete(day, place);
		}
	}
}

static void run_own(struct day *day)
{
	struct fleet_world world;
	struct fleet_plan plan;
	struct fleet_policy policy;
	fleet_world_init(&world);
	fleet_plan_init(&plan);
	fleet_policy_default(&policy);
	policy.max = day->max;
	policy.creations_max *= TICKS_A_CREATE;
	size_t places_count = day->max * 100 + 1000;
	size_t *places = xcalloc(places_count, sizeof(*places));
	while (day_step(day)) {
		see(day, &world);
		fleet_decide(&world, &policy, &plan);
		CHECK((size_t)day->last_id + plan.action_count < places_count);
		act(day, &plan, places);
	}
	cleanup_free(&places);
	fleet_world_release(&world);
	fleet_plan_release(&plan);
}

const struct rule rules[RULES] = {
	{"RGrid", "#c02020", run_own},
	{"poll every 60 s, idle ones go", "#2060c0", run_poll},
	{"idle for 10 min", "#208040", run_idle_10},
	{"idle for 50 min", "#806020", run_idle_50},
	{"an oracle that knows every arrival", "#606060", run_oracle},
};
