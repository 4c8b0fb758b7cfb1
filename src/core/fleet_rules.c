#include "base/cleanup.h"
#include "core/fleet_decision.h"
#include "core/fleet_hour.h"

static uint64_t age_ms(const struct fleet_decision *decision, const struct fleet_worker *worker)
{
	return fleet_ms_since(decision->world->now_us, worker->created_us);
}

/* Not seen often and long enough, and not because it is too young to be seen. */
static bool is_absent(const struct fleet_decision *decision, const struct fleet_seat *seat)
{
	return seat->worker->absent_looks >= decision->policy->absent_looks &&
	       seat->worker->absent_ms >= decision->policy->absent_ms &&
	       age_ms(decision, seat->worker) >= decision->policy->young_ms;
}

static bool is_idle(const struct fleet_seat *seat)
{
	return seat->worker->busy_slots == 0 && !seat->is_needed;
}

/* What becomes of single workers and servers */

static bool server_gone(const struct fleet_decision *decision, const struct fleet_seat *seat)
{
	/* Its heartbeat is better evidence than any listing. */
	bool is_alive = decision->policy->alive_ms > 0 && seat->worker->joined_us != 0 &&
			seat->worker->silent_ms <= decision->policy->alive_ms;

	return fleet_seat_is_live(seat) && seat->worker->server_id != 0 &&
	       is_absent(decision, seat) && !is_alive;
}

static bool no_server_came(const struct fleet_decision *decision, const struct fleet_seat *seat)
{
	return fleet_seat_is_live(seat) && seat->worker->server_id == 0 && seat->server == NULL &&
	       seat->worker->joined_us == 0 && is_absent(decision, seat) &&
	       age_ms(decision, seat->worker) > decision->policy->adopt_ms;
}

static bool setup_failed(const struct fleet_decision *decision, const struct fleet_seat *seat)
{
	(void)decision;
	return fleet_seat_is_live(seat) && seat->worker->joined_us == 0 &&
	       seat->worker->operation == FLEET_OPERATION_FAILED;
}

/* A machine powers itself off when it cannot be a worker; off it is paid for as if it ran. While it
 * is being created it is off, too. */
static bool switched_off(const struct fleet_decision *decision, const struct fleet_seat *seat)
{
	const struct fleet_world *world = decision->world;

	return fleet_seat_is_live(seat) && seat->server != NULL && seat->server->is_off &&
	       world->listing_is_new && seat->worker->operation != FLEET_OPERATION_RUNNING &&
	       seat->worker->silent_ms > decision->policy->alive_ms &&
	       fleet_ms_since(world->now_us, seat->server->created_us) > decision->policy->young_ms;
}

static bool never_came_up(const struct fleet_decision *decision, const struct fleet_seat *seat)
{
	return fleet_seat_is_live(seat) && seat->worker->joined_us == 0 &&
	       seat->worker->silent_ms > decision->policy->start_deadline_ms;
}

static bool fell_silent(const struct fleet_decision *decision, const struct fleet_seat *seat)
{
	(void)decision;
	return fleet_seat_is_live(seat) && seat->worker->joined_us != 0 &&
	       seat->worker->silent_ms > LEASE_TTL_MS;
}

static bool server_found(const struct fleet_decision *decision, const struct fleet_seat *seat)
{
	(void)decision;
	return seat->worker->server_id == 0 && seat->server != NULL;
}

static bool ended_with_server(const struct fleet_decision *decision, const struct fleet_seat *seat)
{
	const struct fleet_worker *worker = seat->worker;

	if (fleet_seat_is_live(seat) || worker->server_id == 0)
		return false;
	if (worker->delete_us == 0)
		return true;
	return worker->absent_looks == 0 && (seat->server == NULL || !seat->server->is_deleting) &&
	       fleet_ms_since(decision->world->now_us, worker->delete_us) >
		       decision->policy->delete_retry_ms;
}

static bool ended_without_server(const struct fleet_decision *decision,
				 const struct fleet_seat *seat)
{
	return !fleet_seat_is_live(seat) && seat->worker->server_id != 0 &&
	       seat->worker->delete_us != 0 && is_absent(decision, seat);
}

static void delete_older(struct fleet_decision *decision, const struct fleet_rule *rule,
			 bool builders, uint64_t age_ms)
{
	const struct fleet_world *world = decision->world;

	for (size_t i = 0; i < decision->stray_count && world->listing_is_new; i++) {
		const struct fleet_server *server = decision->strays[i];
		if (server->is_builder == builders && !server->is_deleting &&
		    fleet_ms_since(world->now_us, server->created_us) > age_ms)
			fleet_act_server(decision, rule, server);
	}
}

static void delete_strays(struct fleet_decision *decision, const struct fleet_rule *rule)
{
	delete_older(decision, rule, false, decision->policy->orphan_ms);
}

static void delete_builders(struct fleet_decision *decision, const struct fleet_rule *rule)
{
	delete_older(decision, rule, true, decision->policy->bake_ms);
}

/* Who is to go, whatever the demand */

static bool grid_stops(const struct fleet_decision *decision, const struct fleet_seat *seat)
{
	return decision->world->stopping && fleet_seat_stays(seat);
}

/* Idle ones first, of them the newest. */
static int by_worth(const void *a, const void *b)
{
	const struct fleet_seat *one = *(const struct fleet_seat *const *)a;
	const struct fleet_seat *other = *(const struct fleet_seat *const *)b;

	if (one->worker->busy_slots != other->worker->busy_slots)
		return one->worker->busy_slots < other->worker->busy_slots ? -1 : 1;
	return one->worker->id > other->worker->id ? -1 : 1;
}

static void drain_surplus(struct fleet_decision *decision, const struct fleet_rule *rule)
{
	if (decision->kept <= decision->max)
		return;
	fleet_seats_sort(decision, by_worth);
	for (size_t i = 0; i < decision->seat_count && decision->kept > decision->max; i++) {
		struct fleet_seat *seat = decision->order[i];
		if (fleet_seat_stays(seat) && !seat->is_decided)
			fleet_act(decision, rule, seat);
	}
}

/* At most a quarter of the fleet at a time, so that replacements come up before the next go. */
static void drain_aged(struct fleet_decision *decision, const struct fleet_rule *rule)
{
	uint64_t draining = 0;

	if (decision->policy->age_max_ms == 0)
		return;
	for (size_t i = 0; i < decision->seat_count; i++) {
		const struct fleet_seat *seat = &decision->seats[i];
		draining += fleet_seat_is_live(seat) && seat->worker->drain == FLEET_DRAIN_AGED;
	}
	uint64_t most = draining + decision->kept > 4 ? (draining + decision->kept) / 4 : 1;
	for (size_t i = 0; i < decision->seat_count && draining < most; i++) {
		struct fleet_seat *seat = &decision->seats[i];
		if (!fleet_seat_stays(seat) || seat->is_decided ||
		    age_ms(decision, seat->worker) < decision->policy->age_max_ms)
			continue;
		fleet_act(decision, rule, seat);
		draining++;
	}
}

static bool packing_is_over(const struct fleet_decision *decision, const struct fleet_seat *seat)
{
	return fleet_seat_may_return(decision, seat) && seat->worker->busy_slots > 0 &&
	       seat->worker->drain == FLEET_DRAIN_PACK &&
	       seat->hour_left_ms > decision->policy->pack_ms;
}

/* How many are wanted */

static bool is_out_of_money(const struct fleet_decision *decision, int64_t price_micros)
{
	int64_t limit_micros = decision->policy->spend_limit_micros;

	return limit_micros > 0 &&
	       decision->world->spent_micros + decision->committed_micros + price_micros >
		       limit_micros;
}

static void undrain_for_jobs(struct fleet_decision *decision, const struct fleet_rule *rule)
{
	fleet_demand_place(decision);
	fleet_demand_undrain(decision, rule);
}

static void count_spare(struct fleet_decision *decision)
{
	decision->spare = 0;
	for (size_t i = 0; i < decision->seat_count; i++) {
		const struct fleet_seat *seat = &decision->seats[i];
		decision->spare += fleet_seat_stays(seat) && is_idle(seat);
	}
}

static void create_for_jobs(struct fleet_decision *decision, const struct fleet_rule *rule)
{
	fleet_demand_create(decision, rule);
	count_spare(decision);
}

static bool is_wanted(const struct fleet_decision *decision, uint64_t have, uint64_t want)
{
	return have < want && decision->kept < decision->max && !decision->world->stopping;
}

static int by_hour(const void *a, const void *b)
{
	const struct fleet_seat *one = *(const struct fleet_seat *const *)a;
	const struct fleet_seat *other = *(const struct fleet_seat *const *)b;

	if (one->hour_left_ms != other->hour_left_ms)
		return one->hour_left_ms > other->hour_left_ms ? -1 : 1;
	return one->worker->id < other->worker->id ? -1 : 1;
}

/* Takes back draining workers until *have reaches want, those with most of their hour left first.
 */
static void undrain_to(struct fleet_decision *decision, const struct fleet_rule *rule,
		       const uint64_t *have, uint64_t want)
{
	if (!is_wanted(decision, *have, want))
		return;
	fleet_seats_sort(decision, by_hour);
	for (size_t i = 0; i < decision->seat_count && is_wanted(decision, *have, want); i++) {
		struct fleet_seat *seat = decision->order[i];
		if (!fleet_seat_may_return(decision, seat) ||
		    is_out_of_money(decision, seat->worker->price_hour_micros))
			continue;
		fleet_act(decision, rule, seat);
		decision->spare += is_idle(seat);
	}
}

static void create_to(struct fleet_decision *decision, const struct fleet_rule *rule,
		      const uint64_t *have, uint64_t want)
{
	enum fleet_wait_code ignored = FLEET_WAIT_NONE;

	while (is_wanted(decision, *have, want)) {
		int choice = fleet_options_find(&decision->options, NULL, &ignored);
		if (choice < 0 || fleet_create(decision, rule, (size_t)choice) != FLEET_WAIT_NONE)
			return;
		decision->spare++;
	}
}

static void undrain_to_minimum(struct fleet_decision *decision, const struct fleet_rule *rule)
{
	undrain_to(decision, rule, &decision->kept, decision->policy->min);
}

static void create_to_minimum(struct fleet_decision *decision, const struct fleet_rule *rule)
{
	create_to(decision, rule, &decision->kept, decision->policy->min);
}

static void undrain_to_warm(struct fleet_decision *decision, const struct fleet_rule *rule)
{
	undrain_to(decision, rule, &decision->spare, decision->policy->warm);
}

static void create_to_warm(struct fleet_decision *decision, const struct fleet_rule *rule)
{
	create_to(decision, rule, &decision->spare, decision->policy->warm);
}

/* Who is not needed any more */

static bool may_idle_away(const struct fleet_decision *decision, const struct fleet_seat *seat)
{
	const struct fleet_worker *worker = seat->worker;

	return fleet_seat_stays(seat) && !seat->is_decided && worker->joined_us != 0 &&
	       is_idle(seat) &&
	       fleet_ms_since(decision->world->now_us, worker->idle_since_us) >=
		       decision->policy->idle_min_ms &&
	       fleet_hour_is_ending(worker, decision->world->now_us, decision->policy);
}

static bool hour_is_too_dear(const struct fleet_decision *decision, const struct fleet_seat *seat)
{
	return may_idle_away(decision, seat) &&
	       is_out_of_money(decision, seat->worker->price_hour_micros);
}

/* The newest first. */
static void drain_idle(struct fleet_decision *decision, const struct fleet_rule *rule)
{
	const struct fleet_policy *policy = decision->policy;

	/* While workers are created nobody goes: whoever waits may yet come to an idle one. */
	if (decision->created > 0)
		return;
	for (size_t i = decision->seat_count; i > 0; i--) {
		struct fleet_seat *seat = &decision->seats[i - 1];
		if (decision->kept <= policy->min || decision->spare <= policy->warm)
			return;
		if (!may_idle_away(decision, seat))
			continue;
		fleet_act(decision, rule, seat);
		decision->spare--;
	}
}

/* Busy workers whose hour nears its end take no more jobs while the others have room for as many.
 */
static void pack(struct fleet_decision *decision, const struct fleet_rule *rule)
{
	const struct fleet_policy *policy = decision->policy;
	uint64_t free_slots = 0;

	if (policy->pack_ms == 0 || policy->hour_ms == 0 || !policy->can_undrain ||
	    decision->created > 0 || !fleet_demand_is_met(decision))
		return;
	for (size_t i = 0; i < decision->seat_count; i++) {
		const struct fleet_seat *seat = &decision->seats[i];
		if (seat->is_needed)
			return; /* room elsewhere is about to be taken */
		if (fleet_seat_stays(seat) && seat->worker->slots > seat->worker->busy_slots)
			free_slots += seat->worker->slots - seat->worker->busy_slots;
	}
	for (size_t i = decision->seat_count; i > 0 && decision->kept > policy->min; i--) {
		struct fleet_seat *seat = &decision->seats[i - 1];
		const struct fleet_worker *worker = seat->worker;
		if (!fleet_seat_stays(seat) || seat->is_decided || worker->busy_slots == 0 ||
		    worker->busy_slots > worker->slots || worker->joined_us == 0 ||
		    free_slots < 2 * worker->slots - worker->busy_slots ||
		    !fleet_hour_is_for_packing(worker, decision->world->now_us, policy))
			continue;
		/* Its own free ones, and as many of the others as it has. */
		free_slots -= 2 * worker->slots - worker->busy_slots;
		fleet_act(decision, rule, seat);
	}
}

/* One that drains to be packed away is kept for new jobs until its hour ends. The row of an order
 * that was not answered stays: it holds the place of a server that may come of it. */
static bool drained_and_empty(const struct fleet_decision *decision, const struct fleet_seat *seat)
{
	const struct fleet_worker *worker = seat->worker;
	int64_t now_us = decision->world->now_us;
	int64_t since_us =
		worker->drain_us > worker->idle_since_us ? worker->drain_us : worker->idle_since_us;

	if (worker->state != WORKER_DRAINING || !seat->is_draining || worker->busy_slots > 0 ||
	    fleet_ms_since(now_us, since_us) < decision->policy->drained_ms ||
	    (worker->server_id == 0 && worker->joined_us == 0 && seat->server == NULL))
		return false;
	return worker->drain != FLEET_DRAIN_PACK ||
	       seat->hour_left_ms <= decision->policy->hour_margin_ms ||
	       seat->hour_left_ms > decision->policy->pack_ms;
}

#define WORKERS(number, kind, name, function, ...) \
	.text = {(number), FLEET_##kind, (name), __VA_ARGS__}, .applies = (function)
#define FLEET(number, kind, name, function, ...) \
	.text = {(number), FLEET_##kind, (name), __VA_ARGS__}, .run = (function)

/* Rows are tried from top to bottom; a worker gets the action of the first row that applies to it.
 * Numbers are stored with events: never reuse one. */
const struct fleet_rule fleet_rules[] = {
	{WORKERS(101, RETIRE_WORKER, "server-gone", server_gone, "its server is gone",
		 "absent_looks complete listings in a row, over absent_ms, lacked its server, it "
		 "is older than "
		 "young_ms, and was not heard of for alive_ms")},
	{WORKERS(
		108, RETIRE_WORKER, "no-server", no_server_came,
		"no server came of the order for it",
		"no server was recorded for it within adopt_ms, and absent_looks complete listings "
		"show none of its name")},
	{WORKERS(104, DELETE_WORKER, "setup-failed", setup_failed,
		 "the provider could not set its server up",
		 "one of the actions of its creation ended with an error; its choice cools down"),
	 .cooling = FLEET_COOLING_NO_START},
	{WORKERS(127, DELETE_WORKER, "switched-off", switched_off, "its server is switched off",
		 "the listing says so, it is older than young_ms, not being set up, and was not "
		 "heard of for alive_ms; its choice cools down"),
	 .cooling = FLEET_COOLING_NO_START},
	{WORKERS(103, DELETE_WORKER, "never-came-up", never_came_up,
		 "it did not start within the time limit",
		 "no heartbeat within start_deadline_ms; its choice cools down"),
	 .cooling = FLEET_COOLING_NO_START},
	{WORKERS(105, DELETE_WORKER, "silent", fell_silent, "its heartbeat stopped",
		 "silent for longer than a lease lives, 30 s")},
	{WORKERS(106, ADOPT_SERVER, "server-found", server_found,
		 "its server was found by its name",
		 "the listing has a server with its label, the row knows none: the answer was "
		 "lost")},
	{WORKERS(112, DELETE_SERVER, "ended-with-server", ended_with_server, "its worker has ended",
		 "the row has ended; asked again after delete_retry_ms while it is still listed")},
	{WORKERS(113, FORGET_SERVER, "ended-without-server", ended_without_server,
		 "the server of an ended worker is gone",
		 "absent_looks complete listings in a row lacked it after its deletion")},
	{FLEET(114, DELETE_SERVER, "orphan", delete_strays, "no worker knows this server",
	       "it carries this grid's label, is older than orphan_ms, and no row knows it")},
	{FLEET(128, DELETE_SERVER, "builder-left", delete_builders,
	       "whoever made an image of it is gone",
	       "its label says that an image was to be made of it, and it is older than bake_ms")},
	{WORKERS(107, DRAIN_WORKER, "stop", grid_stops, "the grid is shutting down",
		 "every worker, when the orchestrator was asked to stop"),
	 .drain = FLEET_DRAIN_STOP},
	{FLEET(109, DRAIN_WORKER, "surplus", drain_surplus, "there are more workers than wanted",
	       "more than max: idle ones first, of them the newest"),
	 .drain = FLEET_DRAIN_SURPLUS},
	{FLEET(115, DRAIN_WORKER, "aged", drain_aged, "it has reached the maximum age",
	       "older than age_max_ms; at most a quarter of the fleet at a time"),
	 .drain = FLEET_DRAIN_AGED},
	{WORKERS(122, UNDRAIN_WORKER, "packing-over", packing_is_over,
		 "it stays: its next paid hour has begun",
		 "drained by 121, and still busy when its hour turned")},
	{FLEET(116, UNDRAIN_WORKER, "undrain-for-jobs", undrain_for_jobs, "jobs wait again",
	       "waiting jobs do not fit on the workers there are; draining ones come before new "
	       "ones")},
	{FLEET(117, CREATE_WORKER, "create-for-jobs", create_for_jobs, "jobs wait for a worker",
	       "waiting jobs that neither fit on the workers there are nor on those that boot, by "
	       "slots, cpu and memory")},
	{FLEET(125, UNDRAIN_WORKER, "undrain-to-minimum", undrain_to_minimum,
	       "there are fewer workers than the minimum", "fewer than min stay")},
	{FLEET(111, CREATE_WORKER, "create-to-minimum", create_to_minimum,
	       "there are fewer workers than wanted", "fewer than min stay")},
	{FLEET(126, UNDRAIN_WORKER, "undrain-to-warm", undrain_to_warm,
	       "there are fewer idle workers than are kept warm", "fewer than warm are idle")},
	{FLEET(118, CREATE_WORKER, "create-to-warm", create_to_warm,
	       "there are fewer idle workers than are kept warm",
	       "fewer than warm are idle or boot without jobs that wait for them")},
	{WORKERS(124, DRAIN_WORKER, "hour-too-dear", hour_is_too_dear,
		 "its next hour would break the spending limit",
		 "idle before its next paid hour, which the month's limit does not allow; goes "
		 "below min and warm"),
	 .drain = FLEET_DRAIN_IDLE},
	{FLEET(120, DRAIN_WORKER, "idle-before-hour", drain_idle,
	       "it is idle and its next paid hour is near",
	       "idle for idle_min_ms, between hour_margin_ms and hour_late_ms before its hour "
	       "turns, both longer where deletions take longer, and neither min nor warm need it"),
	 .drain = FLEET_DRAIN_IDLE},
	{FLEET(121, DRAIN_WORKER, "pack", pack, "others have room for its next jobs",
	       "busy, within pack_ms of its next paid hour, nothing waits, and the others have as "
	       "many free slots as it has; its running jobs go on"),
	 .drain = FLEET_DRAIN_PACK},
	{WORKERS(123, DELETE_WORKER, "drained", drained_and_empty, "it has drained",
		 "draining and without jobs for drained_ms; after 121 not before its hour ends"),
	 .end = WORKER_TERMINATED},
};
const size_t fleet_rule_count = ARRAY_SIZE(fleet_rules);

const struct fleet_rule_text *fleet_rule_text(size_t index)
{
	return index < fleet_rule_count ? &fleet_rules[index].text : NULL;
}
