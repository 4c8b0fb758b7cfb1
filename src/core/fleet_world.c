#include "core/fleet_world.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/cleanup.h"

/* Room for one more, zeroed; NULL at the maximum. */
static void *add(void **items, size_t *count, size_t *capacity, size_t maximum, size_t bytes)
{
	if (*count == maximum)
		return NULL;
	if (*count == *capacity) {
		size_t wanted = *capacity == 0 ? 16 : *capacity * 2;
		*capacity = wanted < maximum ? wanted : maximum;
		*items = xreallocarray(*items, *capacity, bytes);
	}
	char *place = (char *)*items + *count * bytes;
	memset(place, 0, bytes);
	(*count)++;
	return place;
}

#define ADD(world, noun, maximum)                                                              \
	__extension__({                                                                        \
		void *items_ = (world)->noun##s;                                               \
		void *place_ = add(&items_, &(world)->noun##_count, &(world)->noun##_capacity, \
				   (maximum), sizeof(*(world)->noun##s));                      \
		(world)->noun##s = items_;                                                     \
		place_;                                                                        \
	})

void fleet_world_init(struct fleet_world *world)
{
	*world = (struct fleet_world){.requests_left = UINT64_MAX};
}

void fleet_world_release(struct fleet_world *world)
{
	free(world->workers);
	free(world->servers);
	free(world->pendings);
	free(world->shapes);
	free(world->choices);
	free(world->coolings);
	fleet_world_init(world);
}

void fleet_world_clear(struct fleet_world *world)
{
	struct fleet_world kept = *world;

	*world = (struct fleet_world){
		.requests_left = UINT64_MAX,
		.workers = kept.workers,
		.worker_capacity = kept.worker_capacity,
		.servers = kept.servers,
		.server_capacity = kept.server_capacity,
		.pendings = kept.pendings,
		.pending_capacity = kept.pending_capacity,
		.shapes = kept.shapes,
		.shape_capacity = kept.shape_capacity,
		.choices = kept.choices,
		.choice_capacity = kept.choice_capacity,
		.coolings = kept.coolings,
		.cooling_capacity = kept.cooling_capacity,
	};
}

struct fleet_worker *fleet_world_add_worker(struct fleet_world *world)
{
	return ADD(world, worker, FLEET_WORKERS_MAX);
}

struct fleet_server *fleet_world_add_server(struct fleet_world *world)
{
	return ADD(world, server, FLEET_SERVERS_MAX);
}

struct fleet_pending *fleet_world_add_pending(struct fleet_world *world)
{
	return ADD(world, pending, FLEET_WORKERS_MAX);
}

struct fleet_choice *fleet_world_add_choice(struct fleet_world *world)
{
	return ADD(world, choice, FLEET_CHOICES_MAX);
}

struct fleet_cooling *fleet_world_add_cooling(struct fleet_world *world)
{
	return ADD(world, cooling, FLEET_COOLINGS_MAX);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

void fleet_world_add_shape(struct fleet_world *world, const struct fleet_shape *shape)
{
	struct fleet_shape *same = NULL;

	for (size_t i = 0; i < world->shape_count && same == NULL; i++) {
		if (world->shapes[i].cpu_millis == shape->cpu_millis &&
		    world->shapes[i].memory_bytes == shape->memory_bytes)
			same = &world->shapes[i];
	}
	if (same == NULL) {
		same = ADD(world, shape, FLEET_SHAPES_MAX);
		if (same == NULL)
			same = &world->shapes[FLEET_SHAPES_MAX - 1];
	}
	same->cpu_millis = larger(same->cpu_millis, shape->cpu_millis);
	same->memory_bytes = larger(same->memory_bytes, shape->memory_bytes);
	same->oldest_ms = larger(same->oldest_ms, shape->oldest_ms);
	same->count += shape->count;
}
