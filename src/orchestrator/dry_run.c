#include "orchestrator/dry_run.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/str.h"
#include "core/id.h"

#define AMOUNT_BYTES 32

static void print_workers(const struct fleet_world *world)
{
	(void)printf("workers: %zu\n", world->worker_count);
	for (size_t i = 0; i < world->worker_count; i++) {
		const struct fleet_worker *worker = &world->workers[i];
		char id[ID_TEXT_BYTES];
		char silent[AMOUNT_BYTES];

		(void)printf("  %s  %s  %" PRIu32 " of %" PRIu32
			     " slots busy  %s/%s  server %" PRId64 "  silent for %s\n",
			     id_format(ID_WORKER, worker->id, id), worker_state_name(worker->state),
			     worker->busy_slots, worker->slots, worker->server_type,
			     worker->location, worker->server_id,
			     format_duration(worker->silent_ms, silent, sizeof(silent)));
	}
}

static void print_demand(const struct fleet_world *world)
{
	(void)printf("waiting: %zu shapes; over their batch's limit %" PRIu64
		     ", between attempts %" PRIu64 ", held for money %" PRIu64 "\n",
		     world->shape_count, world->parked_count, world->delayed_count,
		     world->held_count);
	for (size_t i = 0; i < world->shape_count; i++) {
		const struct fleet_shape *shape = &world->shapes[i];
		char memory[AMOUNT_BYTES];
		char oldest[AMOUNT_BYTES];

		(void)printf("  %" PRIu64 " jobs of %" PRIu64 ".%03" PRIu64
			     " cpus, %s, the first for %s\n",
			     shape->count, shape->cpu_millis / 1000, shape->cpu_millis % 1000,
			     format_bytes(shape->memory_bytes, memory, sizeof(memory)),
			     format_duration(shape->oldest_ms, oldest, sizeof(oldest)));
	}
}

static void print_choices(const struct fleet_world *world)
{
	(void)printf("choices, in order of preference:\n");
	for (size_t i = 0; i < world->choice_count; i++) {
		const struct fleet_choice *choice = &world->choices[i];

		(void)printf("  %s in %s, %" PRId64 " micro-euros an hour%s\n", choice->server_type,
			     choice->location, choice->price_hour_micros,
			     choice->withdrawn ? ", withdrawn" : "");
	}
}

static void print_plan(const struct fleet_world *world, const struct fleet_plan *plan)
{
	(void)printf("plan: %zu actions\n", plan->action_count);
	for (size_t i = 0; i < plan->action_count; i++) {
		const struct fleet_action *action = &plan->actions[i];
		char id[ID_TEXT_BYTES] = "a new worker";

		if (action->worker_id != 0)
			(void)id_format(ID_WORKER, action->worker_id, id);
		(void)printf("  rule %d: %s %s: %s [%s]\n", action->rule,
			     fleet_action_kind_name(action->kind), id, action->reason, action->key);
	}
	for (size_t i = 0; i < plan->wait_count; i++) {
		const struct fleet_wait *wait = &plan->waits[i];
		const struct fleet_shape *shape = &world->shapes[wait->shape];

		(void)printf("  %" PRIu64 " of %" PRIu64 " jobs wait (%s): %s; %s\n", wait->count,
			     shape->count, fleet_wait_code_name(wait->code), wait->text,
			     wait->next);
	}
}

void dry_run_print(const struct fleet_world *world, const struct fleet_plan *plan)
{
	print_workers(world);
	print_demand(world);
	print_choices(world);
	print_plan(world, plan);
}
