#include "orchestrator/fleet_loop.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "core/billing.h"
#include "core/fleet_deletions.h"
#include "orchestrator/fleet_apply.h"
#include "orchestrator/fleet_sight.h"

#define TICK_BUSY_MS   250
#define TICK_IDLE_MS   1000
#define LOOK_GAP_US    INT64_C(2000000) /* between looks at actions: they take seconds */
#define LOOK_MAX       128		/* servers whose actions are looked at at once */
#define TROUBLE_US     INT64_C(1000000) /* pause after the provider failed; doubles */
#define TROUBLE_MAX_US INT64_C(16000000)
#define BOOK_ROWS_MAX  64

struct fleet_loop {
	const struct fleet_store *store;
	const struct fleet_cloud *cloud;
	const struct fleet_policy *policy;
	const struct fleet_listener *listener;
	struct fleet_world world;
	struct fleet_plan plan;
	struct fleet_sight sight;
	struct fleet_deletions deletions;
	struct fleet_lead lead; /* of this tick */
	int64_t fence;		/* under which all of the following was learnt */
	int64_t looked_us;	/* at actions */
	int64_t trouble_us; /* how long the pause after the next failure will be, but one; 0: none
			     */
	int64_t trouble_until_us;
	bool look; /* list at the next step */
	bool stopping;
};

struct fleet_loop *fleet_loop_new(const struct fleet_store *store, const struct fleet_cloud *cloud,
				  const struct fleet_policy *policy,
				  const struct fleet_listener *listener)
{
	struct fleet_loop *loop = xcalloc(1, sizeof(*loop));
	loop->store = store;
	loop->cloud = cloud;
	loop->policy = policy;
	loop->listener = listener;
	fleet_world_init(&loop->world);
	fleet_plan_init(&loop->plan);
	fleet_sight_init(&loop->sight);
	return loop;
}

void fleet_loop_free(struct fleet_loop *loop)
{
	if (loop == NULL)
		return;
	fleet_world_release(&loop->world);
	fleet_plan_release(&loop->plan);
	fleet_sight_release(&loop->sight);
	free(loop);
}

void cleanup_fleet_loop(struct fleet_loop **loop)
{
	fleet_loop_free(*loop);
}

void fleet_loop_stop(struct fleet_loop *loop)
{
	loop->stopping = true;
}

void fleet_loop_look(struct fleet_loop *loop)
{
	loop->look = true;
}

const struct fleet_world *fleet_loop_world(const struct fleet_loop *loop)
{
	return &loop->world;
}

const struct fleet_plan *fleet_loop_last_plan(const struct fleet_loop *loop)
{
	return &loop->plan;
}

/* Trouble with the provider */

static void tell_error(const struct fleet_loop *loop, const struct error *err)
{
	const struct fleet_done done = {.err = err};
	if (loop->listener != NULL)
		loop->listener->done(loop->listener->context, &done);
}

static void have_trouble(struct fleet_loop *loop, int64_t now_us)
{
	loop->trouble_us = loop->trouble_us == 0 ? TROUBLE_US : loop->trouble_us * 2;
	if (loop->trouble_us > TROUBLE_MAX_US)
		loop->trouble_us = TROUBLE_MAX_US;
	loop->trouble_until_us = now_us + loop->trouble_us;
}

/* A clock that was set back must not make a pause of hours. */
static bool is_in_trouble(const struct fleet_loop *loop, int64_t now_us)
{
	return now_us < loop->trouble_until_us && loop->trouble_until_us - now_us <= TROUBLE_MAX_US;
}

/* Observing */

/* Whether something is under way that a listing would show. */
static bool is_under_way(const struct fleet_world *world)
{
	for (size_t i = 0; i < world->worker_count; i++) {
		const struct fleet_worker *worker = &world->workers[i];
		bool lives = worker->state <= WORKER_DRAINING;
		if (worker->absent_looks > 0 ||
		    (lives ? worker->joined_us == 0 : worker->server_id != 0))
			return true;
	}
	return false;
}

static void list(struct fleet_loop *loop, int64_t now_us)
{
	uint64_t gap_ms =
		loop->cloud->list_again_ms(loop->cloud->context, is_under_way(&loop->world));
	int64_t age_us = now_us - loop->sight.listed_us;
	struct error err = {0};
	if (is_in_trouble(loop, now_us) ||
	    (!loop->look && age_us >= 0 && age_us < (int64_t)gap_ms * 1000))
		return;
	if (fleet_sight_list(&loop->sight, loop->cloud, now_us, &err) < 0) {
		have_trouble(loop, now_us);
		tell_error(loop, &err);
		return;
	}
	loop->look = false;
	loop->trouble_us = 0;
}

/* The listing comes before the rows: so the row of every listed server is there to be seen. */
static int observe(struct fleet_loop *loop, int64_t now_us, struct error *err)
{
	struct error cloud_err = {0};
	list(loop, now_us);
	fleet_world_clear(&loop->world);
	if (!is_in_trouble(loop, now_us) &&
	    loop->cloud->choices(loop->cloud->context, &loop->world, &cloud_err) < 0) {
		have_trouble(loop, now_us);
		tell_error(loop, &cloud_err);
		fleet_world_clear(&loop->world); /* not half of them */
	}
	if (loop->store->observe(loop->store->context, &loop->world, err) < 0)
		return error_wrap(err, "cannot observe the fleet");
	loop->world.seed = (uint64_t)(loop->world.now_us ^ loop->lead.fence);
	loop->world.stopping = loop->stopping;
	loop->world.trouble_until_us = is_in_trouble(loop, now_us) ? loop->trouble_until_us : 0;
	loop->world.deletion_ms = fleet_deletions_longest_ms(&loop->deletions);
	loop->world.requests_left = loop->cloud->requests_left(loop->cloud->context);
	fleet_sight_complete(&loop->sight, &loop->world);
	return 0;
}

static struct fleet_worker *find_worker(struct fleet_loop *loop, int64_t id)
{
	for (size_t i = 0; i < loop->world.worker_count; i++) {
		if (loop->world.workers[i].id == id)
			return &loop->world.workers[i];
	}
	return NULL;
}

static int settle(struct fleet_loop *loop, const struct fleet_pending *pending,
		  const struct fleet_look *look, struct error *err)
{
	struct fleet_worker *worker = find_worker(loop, pending->worker_id);
	if (!look->ret_ended)
		return 0;
	if (worker != NULL)
		worker->operation = look->ret_failed ? FLEET_OPERATION_FAILED : 0;
	return loop->store->settle(loop->store->context, loop->lead.fence, pending->worker_id,
				   look->ret_failed, look->ret_message, err);
}

/* What has become of the actions that creations set going. */
static int look_at_actions(struct fleet_loop *loop, struct error *err)
{
	struct fleet_world *world = &loop->world;
	size_t count = world->pending_count < LOOK_MAX ? world->pending_count : LOOK_MAX;
	int64_t age_us = world->now_us - loop->looked_us;
	struct error cloud_err = {0};
	if (count == 0 || world->trouble_until_us != 0 || (age_us >= 0 && age_us < LOOK_GAP_US))
		return 0;
	loop->looked_us = world->now_us;
	CLEANUP(cleanup_free) struct fleet_look *looks = xcalloc(count, sizeof(*looks));
	if (loop->cloud->look(loop->cloud->context, world->pendings, count, looks, &cloud_err) <
	    0) {
		have_trouble(loop, world->now_us);
		tell_error(loop, &cloud_err);
		return 0;
	}
	for (size_t i = 0; i < count; i++) {
		if (settle(loop, &world->pendings[i], &looks[i], err) < 0 &&
		    err->code != ERR_CONFLICT) /* it has ended meanwhile */
			return error_wrap(err, "cannot settle an operation");
	}
	return 0;
}

/* Books each started hour, before anything is decided: a row that is closed has been paid. */
static int book(struct fleet_loop *loop, struct error *err)
{
	const struct fleet_store *store = loop->store;
	struct fleet_ledger_row rows[BOOK_ROWS_MAX];
	size_t count = 0;
	int64_t hour_us = (int64_t)loop->policy->hour_ms * 1000;
	if (hour_us == 0)
		return 0;
	for (size_t i = 0; i < loop->world.worker_count; i++) {
		const struct fleet_worker *worker = &loop->world.workers[i];
		int64_t until_us = worker->delete_us != 0 ? worker->delete_us : loop->world.now_us;
		uint64_t hours = worker->server_id == 0
					 ? 0
					 : billing_hours_started(worker->server_created_us,
								 until_us, hour_us);
		for (uint64_t hour = worker->hours_booked; hour < hours; hour++) {
			rows[count++] = (struct fleet_ledger_row){
				.worker_id = worker->id,
				.server_id = worker->server_id,
				.hour = (uint32_t)hour,
				.from_us = worker->server_created_us + (int64_t)hour * hour_us,
				.price_micros = worker->price_hour_micros};
			loop->world.spent_micros += worker->price_hour_micros;
			if (count < BOOK_ROWS_MAX)
				continue;
			if (store->book(store->context, loop->lead.fence, rows, count, err) < 0)
				return error_wrap(err, "cannot book paid hours");
			count = 0;
		}
	}
	if (count > 0 && store->book(store->context, loop->lead.fence, rows, count, err) < 0)
		return error_wrap(err, "cannot book paid hours");
	return 0;
}

/* Once for each deletion: when its server is believed gone. */
static void measure_deletions(struct fleet_loop *loop)
{
	for (size_t i = 0; i < loop->plan.action_count; i++) {
		const struct fleet_action *action = &loop->plan.actions[i];
		const struct fleet_worker *worker = action->kind == FLEET_FORGET_SERVER
							    ? find_worker(loop, action->worker_id)
							    : NULL;
		uint64_t took_ms = 0;
		if (worker != NULL && fleet_sight_measure_deletion(&loop->sight, worker, &took_ms))
			fleet_deletions_add(&loop->deletions, took_ms);
	}
}

/* Stepping */

static void apply(struct fleet_loop *loop, struct fleet_step *step)
{
	struct fleet_apply apply = {.store = loop->store,
				    .cloud = loop->cloud,
				    .policy = loop->policy,
				    .listener = loop->listener,
				    .world = &loop->world,
				    .fence = loop->lead.fence,
				    .in_trouble = loop->world.trouble_until_us != 0};
	bool was_in_trouble = apply.in_trouble;
	fleet_apply_plan(&apply, &loop->plan);
	if (apply.in_trouble && !was_in_trouble)
		have_trouble(loop, loop->world.now_us);
	else if (apply.well)
		loop->trouble_us = 0;
	loop->look = loop->look || apply.look;
	step->failed_count = apply.failed_count;
	step->leads = !apply.lost_lead;
}

static int act(struct fleet_loop *loop, struct fleet_step *step, struct error *err)
{
	if (observe(loop, loop->lead.now_us, err) < 0 || look_at_actions(loop, err) < 0 ||
	    book(loop, err) < 0)
		return -1;
	fleet_decide(&loop->world, loop->policy, &loop->plan);
	measure_deletions(loop);
	fleet_sight_used(&loop->sight);
	step->action_count = loop->plan.action_count;
	apply(loop, step);
	return 0;
}

int fleet_loop_step(struct fleet_loop *loop, struct fleet_step *ret, struct error *err)
{
	const struct fleet_store *store = loop->store;
	struct fleet_step step = {.next_ms = TICK_IDLE_MS};
	struct fleet_upkeep upkeep = {0};
	if (store->lead(store->context, &loop->lead, err) < 0)
		return error_wrap(err, "cannot ask who leads");
	step.leads = loop->lead.leads;
	if (step.leads && loop->lead.fence != loop->fence) {
		fleet_sight_clear(&loop->sight);
		loop->deletions = (struct fleet_deletions){0};
		loop->trouble_until_us = 0;
		loop->fence = loop->lead.fence;
	}
	if (!step.leads) {
		*ret = step;
		return 0;
	}
	if (act(loop, &step, err) < 0 || store->upkeep(store->context, &upkeep, err) < 0)
		return -1;
	step.woken = upkeep.woken;
	step.rescued_count = upkeep.rescued_count;
	if (step.action_count > 0 || upkeep.busy || loop->look)
		step.next_ms = TICK_BUSY_MS;
	*ret = step;
	return 0;
}

/* The beginning of time stands for now: a first listing, which can count no absences. */
#define DRY_NOW_US 1

int fleet_loop_plan(struct fleet_loop *loop, struct error *err)
{
	struct error cloud_err = {0};
	fleet_world_clear(&loop->world);
	if (fleet_sight_list(&loop->sight, loop->cloud, DRY_NOW_US, &cloud_err) < 0)
		tell_error(loop, &cloud_err);
	if (observe(loop, DRY_NOW_US, err) < 0)
		return -1;
	fleet_decide(&loop->world, loop->policy, &loop->plan);
	return 0;
}
