#include "core/fleet.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "core/fleet_decision.h"
#include "core/fleet_hour.h"

#define SECOND_MS 1000ULL
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS	  (60 * MINUTE_MS)
#define DAY_MS	  (24 * HOUR_MS)

void fleet_policy_default(struct fleet_policy *ret)
{
	*ret = (struct fleet_policy){
		.slots = 1,
		.start_deadline_ms = 10 * MINUTE_MS, /* private-only images have been seen to need
						      * six */
		.adopt_ms = 60 * SECOND_MS,
		.absent_looks = 3,
		.absent_ms = 15 * SECOND_MS,
		.young_ms = 60 * SECOND_MS,
		.alive_ms = 2 * HEARTBEAT_MS,
		.orphan_ms = 15 * MINUTE_MS,
		.bake_ms = HOUR_MS,
		.delete_retry_ms = 30 * SECOND_MS,
		.hour_ms = HOUR_MS,
		.hour_margin_ms = 90 * SECOND_MS,
		.hour_late_ms = 15 * SECOND_MS,
		.pack_ms = 10 * MINUTE_MS,
		.idle_min_ms = 30 * SECOND_MS,
		.age_max_ms = 7 * DAY_MS,
		.can_undrain = true,
		.creations_max = 16,
		.requests_reserve = 200,
		.cool_sold_out_ms = 5 * MINUTE_MS,
		.cool_withdrawn_ms = 12 * HOUR_MS,
		.cool_no_start_ms = 10 * MINUTE_MS,
		.cool_refused_ms = 2 * MINUTE_MS,
		.quota_pause_ms = 5 * MINUTE_MS,
	};
}

static uint64_t scaled(uint64_t ms, uint64_t hour_ms, uint64_t least_ms)
{
	uint64_t result = ms * hour_ms / HOUR_MS;

	return result > least_ms ? result : least_ms;
}

void fleet_policy_set_hour(struct fleet_policy *policy, uint64_t hour_ms)
{
	CHECK(hour_ms > 0 && hour_ms < 1000 * HOUR_MS);
	policy->hour_ms = hour_ms;
	policy->hour_margin_ms = scaled(policy->hour_margin_ms, hour_ms, 5 * SECOND_MS);
	policy->hour_late_ms = scaled(policy->hour_late_ms, hour_ms, SECOND_MS);
	policy->pack_ms = scaled(policy->pack_ms, hour_ms, 2 * policy->hour_margin_ms);
	policy->idle_min_ms = scaled(policy->idle_min_ms, hour_ms, SECOND_MS);
}

void fleet_policy_local(uint64_t workers, uint32_t slots, struct fleet_policy *ret)
{
	*ret = (struct fleet_policy){
		.min = workers,
		.max = workers,
		.slots = slots,
		.start_deadline_ms = MINUTE_MS,
		.absent_looks = 1,
		.delete_retry_ms = SECOND_MS,
		.drained_ms = DAY_MS, /* it leaves by itself; one that hangs falls silent */
		.creations_max = workers,
		.cool_refused_ms = SECOND_MS,
	};
}

bool fleet_seat_is_live(const struct fleet_seat *seat)
{
	return !seat->is_gone;
}

bool fleet_seat_stays(const struct fleet_seat *seat)
{
	return !seat->is_gone && !seat->is_draining;
}

bool fleet_seat_may_return(const struct fleet_decision *decision, const struct fleet_seat *seat)
{
	enum fleet_drain drain = seat->worker->drain;

	return decision->policy->can_undrain && !decision->world->stopping && !seat->is_gone &&
	       !seat->is_decided && seat->worker->state == WORKER_DRAINING &&
	       seat->worker->joined_us != 0 && decision->kept < decision->max &&
	       (drain == FLEET_DRAIN_IDLE || drain == FLEET_DRAIN_PACK ||
		drain == FLEET_DRAIN_SURPLUS);
}

void fleet_seats_sort(struct fleet_decision *decision, int (*compare)(const void *a, const void *b))
{
	for (size_t i = 0; i < decision->seat_count; i++)
		decision->order[i] = &decision->seats[i];
	if (decision->seat_count > 1)
		qsort(decision->order, decision->seat_count, sizeof(struct fleet_seat *), compare);
}

static int compare_i64(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int by_worker_id(const void *a, const void *b)
{
	const struct fleet_seat *one = a;
	const struct fleet_seat *other = b;

	return compare_i64(one->worker->id, other->worker->id);
}

static int by_server_id(const void *a, const void *b)
{
	const struct fleet_seat *const *one = a;
	const struct fleet_seat *const *other = b;

	return compare_i64((*one)->worker->server_id, (*other)->worker->server_id);
}

static int by_id(const void *a, const void *b)
{
	const struct fleet_server *const *one = a;
	const struct fleet_server *const *other = b;

	return compare_i64((*one)->id, (*other)->id);
}

/* Whose worker is `id`; key is the worker's id. */
static int find_worker(const void *key, const void *item)
{
	const struct fleet_seat *seat = item;

	return compare_i64(*(const int64_t *)key, seat->worker->id);
}

static int find_server(const void *key, const void *item)
{
	const struct fleet_seat *const *seat = item;

	return compare_i64(*(const int64_t *)key, (*seat)->worker->server_id);
}

/* A server belongs to the worker that has recorded it; else to the one that its label names, if
 * that one knows none; else to nobody. Of two with one label the older is taken. */
static void match_servers(struct fleet_decision *decision)
{
	const struct fleet_world *world = decision->world;
	CLEANUP(cleanup_free)
	const struct fleet_server **servers = xcalloc(world->server_count + 1, sizeof(*servers));

	for (size_t i = 0; i < world->server_count; i++)
		servers[i] = &world->servers[i];
	if (world->server_count > 1)
		qsort(servers, world->server_count, sizeof(const struct fleet_server *), by_id);
	fleet_seats_sort(decision, by_server_id);
	for (size_t i = 0; i < world->server_count; i++) {
		const struct fleet_server *server = servers[i];
		struct fleet_seat **known =
			bsearch(&server->id, decision->order, decision->seat_count,
				sizeof(struct fleet_seat *), find_server);
		struct fleet_seat *seat = known != NULL ? *known : NULL;

		if (seat == NULL && !server->is_builder) {
			seat = bsearch(&server->worker_id, decision->seats, decision->seat_count,
				       sizeof(*decision->seats), find_worker);
			if (seat != NULL && seat->worker->server_id != 0)
				seat = NULL;
		}
		if (seat != NULL && seat->server == NULL)
			seat->server = server;
		else
			decision->strays[decision->stray_count++] = server;
	}
}

static bool is_ended(enum worker_state state)
{
	return state != WORKER_PROVISIONING && state != WORKER_ACTIVE && state != WORKER_DRAINING;
}

static void count_seats(struct fleet_decision *decision)
{
	/* A builder is nobody's worker, and takes no worker's place. */
	for (size_t i = 0; i < decision->stray_count; i++)
		decision->occupied += !decision->strays[i]->is_builder;
	for (size_t i = 0; i < decision->seat_count; i++) {
		const struct fleet_seat *seat = &decision->seats[i];
		const struct fleet_worker *worker = seat->worker;

		if (fleet_seat_stays(seat))
			decision->kept++;
		if (!seat->is_gone || worker->server_id != 0 || seat->server != NULL)
			decision->occupied++;
		if (!seat->is_gone && seat->server == NULL)
			decision->unlisted++;
		if (!seat->is_gone && worker->server_created_us == 0)
			decision->committed_micros += worker->price_hour_micros;
		if (worker->id > decision->newest_id)
			decision->newest_id = worker->id;
	}
}

static void decision_init(struct fleet_decision *decision, const struct fleet_world *world,
			  const struct fleet_policy *policy, struct fleet_plan *plan)
{
	*decision = (struct fleet_decision){
		.world = world,
		.policy = policy,
		.plan = plan,
		.max = policy->max < FLEET_WORKERS_MAX ? policy->max : FLEET_WORKERS_MAX,
		.seats = xcalloc(world->worker_count + 1, sizeof(*decision->seats)),
		.seat_count = world->worker_count,
		.order = xcalloc(world->worker_count + 1, sizeof(struct fleet_seat *)),
		.strays = xcalloc(world->server_count + 1, sizeof(const struct fleet_server *)),
	};
	fleet_options_init(&decision->options, world);
	for (size_t i = 0; i < world->worker_count; i++) {
		const struct fleet_worker *worker = &world->workers[i];

		decision->seats[i] = (struct fleet_seat){
			.worker = worker,
			.is_gone = is_ended(worker->state),
			.is_draining = worker->state == WORKER_DRAINING,
			.hour_left_ms = fleet_hour_left_ms(worker, world->now_us, policy),
		};
	}
	if (decision->seat_count > 1)
		qsort(decision->seats, decision->seat_count, sizeof(*decision->seats),
		      by_worker_id);
	match_servers(decision);
	count_seats(decision);
}

static void decision_release(struct fleet_decision *decision)
{
	free(decision->seats);
	free(decision->order);
	free(decision->strays);
}

static enum worker_state end_of(const struct fleet_worker *worker)
{
	if (worker->joined_us == 0)
		return WORKER_FAILED;
	return worker->state == WORKER_DRAINING && worker->busy_slots == 0 ? WORKER_TERMINATED
									   : WORKER_DEAD;
}

static struct fleet_action *add_action(struct fleet_decision *decision,
				       const struct fleet_rule *rule)
{
	struct fleet_action *action = fleet_plan_add_action(decision->plan);

	CHECK(action != NULL); /* one for each worker, server and creation, at most */
	action->kind = rule->text.kind;
	action->rule = rule->text.number;
	action->reason = rule->text.reason;
	return action;
}

void fleet_act(struct fleet_decision *decision, const struct fleet_rule *rule,
	       struct fleet_seat *seat)
{
	const struct fleet_worker *worker = seat->worker;
	struct fleet_action *action = add_action(decision, rule);
	bool stayed = fleet_seat_stays(seat);
	bool ends = action->kind == FLEET_RETIRE_WORKER || action->kind == FLEET_DELETE_WORKER;

	action->worker_id = worker->id;
	action->server_id = worker->server_id;
	if (action->kind == FLEET_ADOPT_SERVER)
		action->server_id = seat->server->id;
	action->drain = rule->drain;
	action->cooling = rule->cooling;
	if (ends)
		action->end = rule->end != 0 ? rule->end : end_of(worker);
	(void)snprintf(action->key, sizeof(action->key), "%s-%lld",
		       fleet_action_kind_name(action->kind), (long long)worker->id);

	seat->is_decided = true;
	seat->is_gone = seat->is_gone || ends;
	if (action->kind == FLEET_DRAIN_WORKER)
		seat->is_draining = true;
	if (action->kind == FLEET_UNDRAIN_WORKER)
		seat->is_draining = false;
	if (stayed && !fleet_seat_stays(seat))
		decision->kept--;
	if (!stayed && fleet_seat_stays(seat))
		decision->kept++;
}

void fleet_act_server(struct fleet_decision *decision, const struct fleet_rule *rule,
		      const struct fleet_server *server)
{
	struct fleet_action *action = add_action(decision, rule);

	action->server_id = server->id;
	(void)snprintf(action->key, sizeof(action->key), "%s-%lld",
		       fleet_action_kind_name(action->kind), (long long)server->id);
}

static enum fleet_wait_code gate(const struct fleet_decision *decision, int64_t price_micros)
{
	const struct fleet_world *world = decision->world;
	const struct fleet_policy *policy = decision->policy;
	int64_t spent_micros = world->spent_micros + decision->committed_micros;

	if (world->stopping)
		return FLEET_WAIT_STOPPING;
	if (world->is_paused)
		return FLEET_WAIT_PAUSED;
	if (decision->occupied >= decision->max)
		return FLEET_WAIT_MAXIMUM;
	if (policy->spend_limit_micros > 0 &&
	    spent_micros + price_micros > policy->spend_limit_micros)
		return FLEET_WAIT_MONEY;
	if (world->now_us < world->quota_until_us)
		return FLEET_WAIT_QUOTA;
	if (world->now_us < world->trouble_until_us)
		return FLEET_WAIT_TROUBLE;
	if (policy->network_limit > 0 &&
	    world->network_members + decision->unlisted >= policy->network_limit)
		return FLEET_WAIT_NETWORK;
	if (policy->placement_limit > 0 && decision->occupied >= policy->placement_limit)
		return FLEET_WAIT_PLACEMENT;
	/* A creation is looked after with about one more request. */
	if (world->requests_left != UINT64_MAX &&
	    world->requests_left < policy->requests_reserve + 2 * (decision->created + 1))
		return FLEET_WAIT_RATE;
	if (decision->created >= policy->creations_max)
		return FLEET_WAIT_BURST;
	return FLEET_WAIT_NONE;
}

enum fleet_wait_code fleet_create(struct fleet_decision *decision, const struct fleet_rule *rule,
				  size_t choice)
{
	int64_t price_micros = decision->world->choices[choice].price_hour_micros;
	enum fleet_wait_code closed = gate(decision, price_micros);

	if (closed != FLEET_WAIT_NONE)
		return closed;
	struct fleet_action *action = add_action(decision, rule);
	action->choice = choice;
	decision->created++;
	decision->kept++;
	decision->occupied++;
	decision->unlisted++;
	decision->committed_micros += price_micros;
	(void)snprintf(action->key, sizeof(action->key), "create-%lld-%llu",
		       (long long)decision->newest_id, (unsigned long long)decision->created);
	return FLEET_WAIT_NONE;
}

void fleet_decide(const struct fleet_world *world, const struct fleet_policy *policy,
		  struct fleet_plan *ret_plan)
{
	struct fleet_decision decision;
	struct fleet_policy followed = *policy;

	fleet_plan_clear(ret_plan);
	fleet_hour_follow_deletions(&followed, world->deletion_ms);
	decision_init(&decision, world, &followed, ret_plan);
	for (size_t i = 0; i < fleet_rule_count; i++) {
		const struct fleet_rule *rule = &fleet_rules[i];
		if (rule->run != NULL) {
			rule->run(&decision, rule);
			continue;
		}
		for (size_t j = 0; j < decision.seat_count; j++) {
			struct fleet_seat *seat = &decision.seats[j];
			if (!seat->is_decided && rule->applies(&decision, seat))
				fleet_act(&decision, rule, seat);
		}
	}
	decision_release(&decision);
}
