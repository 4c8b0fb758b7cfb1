#include "orchestrator/fleet_rows.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "store/pg.h"

enum worker_column {
	WORKER_ID,
	WORKER_STATE,
	WORKER_CREATED_US,
	WORKER_JOINED_US,
	WORKER_IDLE_SINCE_US,
	WORKER_SILENT_MS,
	WORKER_SLOTS,
	WORKER_CPU_MILLIS,
	WORKER_MEMORY_BYTES,
	WORKER_BUSY_SLOTS,
	WORKER_BUSY_CPU_MILLIS,
	WORKER_BUSY_MEMORY_BYTES,
	WORKER_SERVER_TYPE,
	WORKER_LOCATION,
	WORKER_PRICE_HOUR_MICROS,
	WORKER_SERVER_ID,
	WORKER_SERVER_CREATED_US,
	WORKER_OPERATION,
	WORKER_DRAIN,
	WORKER_DRAIN_US,
	WORKER_DELETE_US,
	WORKER_HOURS_BOOKED,
	WORKER_PENDING_ACTIONS,
};

enum facts_column {
	FACTS_NOW_US,
	FACTS_IS_PAUSED,
	FACTS_QUOTA_UNTIL_US,
	FACTS_SPENT_MICROS,
	FACTS_PARKED,
	FACTS_DELAYED,
	FACTS_HELD,
};

static uint64_t get_u64(const PGresult *result, int row, int column)
{
	int64_t number = pg_get_i64(result, row, column);

	return number > 0 ? (uint64_t)number : 0;
}

static void get_name(const PGresult *result, int row, int column, char out[FLEET_NAME_BYTES])
{
	(void)snprintf(out, FLEET_NAME_BYTES, "%s", pg_get_text(result, row, column));
}

void fleet_rows_facts(const PGresult *result, struct fleet_world *world)
{
	CHECK(PQntuples(result) == 1);
	world->now_us = pg_get_i64(result, 0, FACTS_NOW_US);
	world->is_paused = pg_get_bool(result, 0, FACTS_IS_PAUSED);
	world->quota_until_us = pg_get_i64(result, 0, FACTS_QUOTA_UNTIL_US);
	world->spent_micros = pg_get_i64(result, 0, FACTS_SPENT_MICROS);
	world->parked_count = get_u64(result, 0, FACTS_PARKED);
	world->delayed_count = get_u64(result, 0, FACTS_DELAYED);
	world->held_count = get_u64(result, 0, FACTS_HELD);
}

/* "{1,2,3}" */
static void read_pending(const PGresult *result, int row, struct fleet_world *world)
{
	const char *text = pg_get_text_or_null(result, row, WORKER_PENDING_ACTIONS);
	struct fleet_pending *pending = text ? fleet_world_add_pending(world) : NULL;

	if (!pending)
		return;
	pending->worker_id = pg_get_i64(result, row, WORKER_ID);
	pending->server_id = pg_get_i64(result, row, WORKER_SERVER_ID);
	for (const char *at = text + 1;
	     *at != '\0' && *at != '}' && pending->action_count < FLEET_PENDING_ACTIONS_MAX;) {
		char *end;

		pending->action_ids[pending->action_count++] = strtoll(at, &end, 10);
		at = *end == ',' ? end + 1 : end;
	}
}

static void read_load(const PGresult *result, int row, struct fleet_worker *worker)
{
	worker->slots = (uint32_t)get_u64(result, row, WORKER_SLOTS);
	worker->cpu_millis = get_u64(result, row, WORKER_CPU_MILLIS);
	worker->memory_bytes = get_u64(result, row, WORKER_MEMORY_BYTES);
	worker->busy_slots = (uint32_t)get_u64(result, row, WORKER_BUSY_SLOTS);
	worker->busy_cpu_millis = get_u64(result, row, WORKER_BUSY_CPU_MILLIS);
	worker->busy_memory_bytes = get_u64(result, row, WORKER_BUSY_MEMORY_BYTES);
}

void fleet_rows_workers(const PGresult *result, struct fleet_world *world)
{
	for (int row = 0; row < PQntuples(result); row++) {
		struct fleet_worker *worker = fleet_world_add_worker(world);

		if (!worker)
			return;
		*worker = (struct fleet_worker){
			.id = pg_get_i64(result, row, WORKER_ID),
			.state = (enum worker_state)pg_get_i64(result, row, WORKER_STATE),
			.created_us = pg_get_i64(result, row, WORKER_CREATED_US),
			.joined_us = pg_get_i64(result, row, WORKER_JOINED_US),
			.idle_since_us = pg_get_i64(result, row, WORKER_IDLE_SINCE_US),
			.silent_ms = get_u64(result, row, WORKER_SILENT_MS),
			.price_hour_micros = pg_get_i64(result, row, WORKER_PRICE_HOUR_MICROS),
			.server_id = pg_get_i64(result, row, WORKER_SERVER_ID),
			.server_created_us = pg_get_i64(result, row, WORKER_SERVER_CREATED_US),
			.operation =
				(enum fleet_operation)pg_get_i64(result, row, WORKER_OPERATION),
			.drain = (enum fleet_drain)pg_get_i64(result, row, WORKER_DRAIN),
			.drain_us = pg_get_i64(result, row, WORKER_DRAIN_US),
			.delete_us = pg_get_i64(result, row, WORKER_DELETE_US),
			.hours_booked = (uint32_t)get_u64(result, row, WORKER_HOURS_BOOKED),
		};
		get_name(result, row, WORKER_SERVER_TYPE, worker->server_type);
		get_name(result, row, WORKER_LOCATION, worker->location);
		read_load(result, row, worker);
		read_pending(result, row, world);
	}
}

void fleet_rows_shapes(const PGresult *result, struct fleet_world *world)
{
	for (int row = 0; row < PQntuples(result); row++) {
		struct fleet_shape shape = {
			.cpu_millis = get_u64(result, row, 0),
			.memory_bytes = get_u64(result, row, 1),
			.count = get_u64(result, row, 2),
			.oldest_ms = get_u64(result, row, 3),
		};

		fleet_world_add_shape(world, &shape);
	}
}

void fleet_rows_coolings(const PGresult *result, struct fleet_world *world)
{
	for (int row = 0; row < PQntuples(result); row++) {
		struct fleet_cooling *cooling = fleet_world_add_cooling(world);

		if (!cooling)
			return;
		get_name(result, row, 0, cooling->server_type);
		get_name(result, row, 1, cooling->location);
		cooling->until_us = pg_get_i64(result, row, 2);
		cooling->cause = (enum fleet_cooling_cause)pg_get_i64(result, row, 3);
	}
}
