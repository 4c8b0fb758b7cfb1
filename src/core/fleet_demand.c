#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "core/fleet_decision.h"
#include "core/fleet_hour.h"

/* What a worker has free, or a new one has. */
struct room {
	uint64_t slots;
	uint64_t cpu_millis, memory_bytes;
	bool is_cpu_known, is_memory_known;
};

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static struct room room_of_worker(const struct fleet_decision *decision,
				  const struct fleet_worker *worker)
{
	uint64_t slots = worker->slots != 0 ? worker->slots : decision->policy->slots;

	return (struct room){
		.slots = less(slots, worker->busy_slots),
		.cpu_millis = less(worker->cpu_millis, worker->busy_cpu_millis),
		.memory_bytes = less(worker->memory_bytes, worker->busy_memory_bytes),
		.is_cpu_known = worker->cpu_millis != 0,
		.is_memory_known = worker->memory_bytes != 0,
	};
}

static struct room room_of_choice(const struct fleet_decision *decision,
				  const struct fleet_choice *choice)
{
	return (struct room){
		.slots = decision->policy->slots,
		.cpu_millis = choice->cpu_millis,
		.memory_bytes = choice->memory_bytes,
		.is_cpu_known = choice->cpu_millis != 0,
		.is_memory_known = choice->memory_bytes != 0,
	};
}

/* Takes as many jobs of the portion as fit. */
static uint64_t room_take(struct room *room, struct fleet_portion *portion)
{
	const struct fleet_shape *shape = portion->shape;
	uint64_t count = fleet_fit(shape, room->slots, room->cpu_millis, room->memory_bytes,
				   room->is_cpu_known, room->is_memory_known);

	if (count > portion->left)
		count = portion->left;
	room->slots -= count;
	if (room->is_cpu_known)
		room->cpu_millis -= count * shape->cpu_millis;
	if (room->is_memory_known)
		room->memory_bytes -= count * shape->memory_bytes;
	portion->left -= count;
	return count;
}

static int compare_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int by_size(const void *a, const void *b)
{
	const struct fleet_shape *one = ((const struct fleet_portion *)a)->shape;
	const struct fleet_shape *other = ((const struct fleet_portion *)b)->shape;
	int order = compare_u64(other->memory_bytes, one->memory_bytes);

	if (order == 0)
		order = compare_u64(other->cpu_millis, one->cpu_millis);
	if (order == 0)
		order = compare_u64(other->count, one->count);
	return order != 0 ? order : compare_u64(other->oldest_ms, one->oldest_ms);
}

static int by_use(const void *a, const void *b)
{
	const struct fleet_seat *one = *(const struct fleet_seat *const *)a;
	const struct fleet_seat *other = *(const struct fleet_seat *const *)b;
	int order = (one->worker->state == WORKER_PROVISIONING) -
		    (other->worker->state == WORKER_PROVISIONING);

	if (order == 0)
		order = compare_u64(other->worker->busy_slots, one->worker->busy_slots);
	if (order == 0)
		order = compare_u64(other->hour_left_ms, one->hour_left_ms);
	if (order == 0)
		order = one->worker->id < other->worker->id ? -1 : 1;
	return order;
}

static bool put(struct fleet_decision *decision, struct fleet_seat *seat, bool boots)
{
	struct room room = room_of_worker(decision, seat->worker);
	bool any = false;

	for (size_t i = 0; i < decision->portion_count && room.slots > 0; i++) {
		struct fleet_portion *portion = &decision->portions[i];
		uint64_t count = room_take(&room, portion);

		if (count == 0)
			continue;
		any = true;
		if (!boots) {
			portion->claim_count += count;
			continue;
		}
		portion->booting_count += count;
		if (portion->booting == NULL ||
		    seat->worker->created_us < portion->booting->created_us)
			portion->booting = seat->worker;
	}
	seat->is_needed = seat->is_needed || any;
	return any;
}

bool fleet_demand_is_met(const struct fleet_decision *decision)
{
	for (size_t i = 0; i < decision->portion_count; i++) {
		if (decision->portions[i].left > 0)
			return false;
	}
	return true;
}

void fleet_demand_place(struct fleet_decision *decision)
{
	const struct fleet_world *world = decision->world;

	CHECK(world->shape_count <= FLEET_SHAPES_MAX);
	decision->portion_count = world->shape_count;
	for (size_t i = 0; i < world->shape_count; i++)
		decision->portions[i] = (struct fleet_portion){.shape = &world->shapes[i],
							       .left = world->shapes[i].count};
	if (decision->portion_count > 1)
		qsort(decision->portions, decision->portion_count, sizeof(*decision->portions),
		      by_size);
	fleet_seats_sort(decision, by_use);
	for (size_t i = 0; i < decision->seat_count && !fleet_demand_is_met(decision); i++) {
		struct fleet_seat *seat = decision->order[i];
		if (fleet_seat_stays(seat))
			(void)put(decision, seat, seat->worker->joined_us == 0);
	}
}

void fleet_demand_undrain(struct fleet_decision *decision, const struct fleet_rule *rule)
{
	fleet_seats_sort(decision, by_use);
	for (size_t i = 0; i < decision->seat_count && !fleet_demand_is_met(decision); i++) {
		struct fleet_seat *seat = decision->order[i];
		if (fleet_seat_may_return(decision, seat) && put(decision, seat, false))
			fleet_act(decision, rule, seat);
	}
}

/* Fills a new worker of the choice, from the portion on. */
static void fill(struct fleet_decision *decision, size_t from, size_t choice)
{
	struct room room = room_of_choice(decision, &decision->world->choices[choice]);

	for (size_t i = from; i < decision->portion_count; i++) {
		struct fleet_portion *portion = &decision->portions[i];
		uint64_t count = room_take(&room, portion);

		if (count > 0 && portion->creating_count == 0)
			portion->creating_choice = choice;
		portion->creating_count += count;
	}
}

static enum fleet_wait_code create_for(struct fleet_decision *decision,
				       const struct fleet_rule *rule, size_t index)
{
	const struct fleet_portion *portion = &decision->portions[index];

	while (portion->left > 0) {
		enum fleet_wait_code code = FLEET_WAIT_NONE;
		int choice = fleet_options_find(&decision->options, portion->shape, &code);

		/* Without an answer of the provider there are no choices to speak of. */
		if (choice < 0 && code == FLEET_WAIT_NO_CHOICE &&
		    decision->world->now_us < decision->world->trouble_until_us)
			return FLEET_WAIT_TROUBLE;
		if (choice < 0)
			return code;
		if (decision->policy->slots == 0)
			return FLEET_WAIT_TOO_LARGE;
		code = fleet_create(decision, rule, (size_t)choice);
		if (code != FLEET_WAIT_NONE)
			return code;
		fill(decision, index, (size_t)choice);
	}
	return FLEET_WAIT_NONE;
}

static const char *next_of(enum fleet_wait_code code)
{
	static const char *const nexts[] = {
#define X(NAME, name, next) [FLEET_WAIT_##NAME] = (next),
		FLEET_WAITS(X)
#undef X
	};
	return nexts[code];
}

static int64_t until_of(const struct fleet_decision *decision, const struct fleet_shape *shape,
			enum fleet_wait_code code)
{
	if (code == FLEET_WAIT_COOLING)
		return fleet_options_until(&decision->options, shape);
	if (code == FLEET_WAIT_QUOTA)
		return decision->world->quota_until_us;
	if (code == FLEET_WAIT_TROUBLE)
		return decision->world->trouble_until_us;
	return 0;
}

#define COOLING_BYTES 120

static void describe_creation(const struct fleet_decision *decision,
			      const struct fleet_portion *portion, char *out, size_t out_bytes)
{
	const struct fleet_choice *choice = &decision->world->choices[portion->creating_choice];
	char skipped[COOLING_BYTES];

	fleet_options_describe(&decision->options, portion->shape, portion->creating_choice,
			       skipped, sizeof(skipped));
	(void)snprintf(out, out_bytes, "%s%sa worker is created: %.*s in %.*s", skipped,
		       skipped[0] != '\0' ? ", so " : "", FLEET_NAME_BYTES - 1, choice->server_type,
		       FLEET_NAME_BYTES - 1, choice->location);
}

static void describe_boot(const struct fleet_decision *decision, const struct fleet_worker *worker,
			  char *out, size_t out_bytes)
{
	unsigned long long boots_ms = fleet_ms_since(decision->world->now_us, worker->created_us);

	/* A process of this machine has neither. */
	if (worker->server_type[0] == '\0')
		(void)snprintf(out, out_bytes, "a worker boots, since %llu s", boots_ms / 1000);
	else
		(void)snprintf(out, out_bytes, "a worker boots, since %llu s: %.*s in %.*s",
			       boots_ms / 1000, FLEET_NAME_BYTES - 1, worker->server_type,
			       FLEET_NAME_BYTES - 1, worker->location);
}

/* An hour may cost less than a cent. */
#define MICROS_PER_EURO 1000000
#define MICROS_SHOWN	100

static void describe_money(const struct fleet_decision *decision, char *out, size_t out_bytes)
{
	long long spent = decision->world->spent_micros + decision->committed_micros;
	long long limit = decision->policy->spend_limit_micros;

	(void)snprintf(out, out_bytes,
		       "a worker's next hour would break the fleet's monthly spending limit: "
		       "%lld.%04lld of %lld.%04lld euros are spent",
		       spent / MICROS_PER_EURO, spent % MICROS_PER_EURO / MICROS_SHOWN,
		       limit / MICROS_PER_EURO, limit % MICROS_PER_EURO / MICROS_SHOWN);
}

static void describe(const struct fleet_decision *decision, const struct fleet_portion *portion,
		     enum fleet_wait_code code, char *out, size_t out_bytes)
{
	const struct fleet_policy *policy = decision->policy;
	unsigned long long max = decision->max;

	switch (code) {
	case FLEET_WAIT_NONE:
	case FLEET_WAIT_CODE_MAX:
		break;
	case FLEET_WAIT_CLAIM:
		(void)snprintf(out, out_bytes, "a worker has a free slot for it");
		return;
	case FLEET_WAIT_BOOTING:
		describe_boot(decision, portion->booting, out, out_bytes);
		return;
	case FLEET_WAIT_CREATING:
		describe_creation(decision, portion, out, out_bytes);
		return;
	case FLEET_WAIT_BURST:
		(void)snprintf(out, out_bytes, "workers are created, %llu at a time",
			       (unsigned long long)policy->creations_max);
		return;
	case FLEET_WAIT_STOPPING:
		(void)snprintf(out, out_bytes, "the grid is shutting down");
		return;
	case FLEET_WAIT_PAUSED:
		(void)snprintf(out, out_bytes, "provisioning is paused");
		return;
	case FLEET_WAIT_MAXIMUM:
		(void)snprintf(out, out_bytes, "the fleet is at its maximum of %llu worker%s", max,
			       max == 1 ? "" : "s");
		return;
	case FLEET_WAIT_MONEY:
		describe_money(decision, out, out_bytes);
		return;
	case FLEET_WAIT_QUOTA:
		(void)snprintf(out, out_bytes, "the provider's account limit is reached");
		return;
	case FLEET_WAIT_TROUBLE:
		(void)snprintf(out, out_bytes, "the provider does not answer");
		return;
	case FLEET_WAIT_RATE:
		(void)snprintf(out, out_bytes, "the provider's request limit is nearly used up");
		return;
	case FLEET_WAIT_NETWORK:
		(void)snprintf(out, out_bytes, "the private network is full: %llu members",
			       (unsigned long long)policy->network_limit);
		return;
	case FLEET_WAIT_PLACEMENT:
		(void)snprintf(out, out_bytes, "the placement groups are full: %llu servers",
			       (unsigned long long)policy->placement_limit);
		return;
	case FLEET_WAIT_COOLING:
		fleet_options_describe(&decision->options, portion->shape, FLEET_CHOICES_MAX, out,
				       out_bytes);
		return;
	case FLEET_WAIT_TOO_LARGE:
		(void)snprintf(out, out_bytes, "no server type has %llu cpu millis and %llu MiB",
			       (unsigned long long)portion->shape->cpu_millis,
			       (unsigned long long)(portion->shape->memory_bytes / MIB));
		return;
	case FLEET_WAIT_NO_CHOICE:
		(void)snprintf(out, out_bytes, "none of the server types is sold any more");
		return;
	}
	UNREACHABLE();
}

static void add_wait(struct fleet_decision *decision, const struct fleet_portion *portion,
		     enum fleet_wait_code code, uint64_t count)
{
	struct fleet_wait *wait = count > 0 ? fleet_plan_add_wait(decision->plan) : NULL;

	if (wait == NULL)
		return;
	wait->shape = (size_t)(portion->shape - decision->world->shapes);
	wait->count = count;
	wait->code = code;
	wait->until_us = until_of(decision, portion->shape, code);
	wait->next = next_of(code);
	describe(decision, portion, code, wait->text, sizeof(wait->text));
}

void fleet_demand_create(struct fleet_decision *decision, const struct fleet_rule *rule)
{
	for (size_t i = 0; i < decision->portion_count; i++)
		decision->portions[i].blocked = create_for(decision, rule, i);
	for (size_t i = 0; i < decision->portion_count; i++) {
		const struct fleet_portion *portion = &decision->portions[i];
		add_wait(decision, portion, FLEET_WAIT_CLAIM, portion->claim_count);
		add_wait(decision, portion, FLEET_WAIT_BOOTING, portion->booting_count);
		add_wait(decision, portion, FLEET_WAIT_CREATING, portion->creating_count);
		add_wait(decision, portion, portion->blocked, portion->left);
	}
}
