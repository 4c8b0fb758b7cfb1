/* What the fleet looks like at one instant: all that fleet_decide() may know. Times are the
 * database's, in microseconds since 1970; money is integer micro-euros, net.
 *
 * The store and the cloud fill it (orchestrator/ports.h), fleet_loop adds what it remembers. The
 * arrays belong to the world, grow up to named limits, and are used again from tick to tick. Their
 * order means nothing, but for `choices`: the first is preferred. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/job.h"
#include "core/limits.h"

#define FLEET_NAME_BYTES 32 /* of a server type, of a location */

/* Why a worker drains. Only what the fleet wanted for itself (IDLE, PACK, SURPLUS) is taken back
 * when jobs wait again. Codes are stored; never renumber. */
enum fleet_drain {
	FLEET_DRAIN_IDLE = 1, /* idle, and its next paid hour is near */
	FLEET_DRAIN_PACK,     /* busy, but others have room for what it would take */
	FLEET_DRAIN_SURPLUS,  /* more workers than the maximum */
	FLEET_DRAIN_AGED,
	FLEET_DRAIN_STOP,
	FLEET_DRAIN_OPERATOR,
};

/* What has been heard of the actions that the creation of a server set going. 0: nothing is under
 * way. */
enum fleet_operation { FLEET_OPERATION_RUNNING = 1, FLEET_OPERATION_FAILED };

/* A worker that lives, or one that has ended and whose server may still exist. */
struct fleet_worker {
	int64_t id;
	enum worker_state state;
	int64_t created_us;    /* when its row, the intent, was written */
	int64_t joined_us;     /* first heartbeat; 0: none yet */
	int64_t idle_since_us; /* end of its last lease, or joined_us; without meaning while busy */
	uint64_t silent_ms;    /* since its last heartbeat, or since it was created */
	/* Before it has joined: what it is expected to have. 0: not known, does not limit. */
	uint32_t slots;
	uint64_t cpu_millis;
	uint64_t memory_bytes;
	uint32_t busy_slots; /* leases */
	uint64_t busy_cpu_millis;
	uint64_t busy_memory_bytes;
	/* Where its server was asked for */
	char server_type[FLEET_NAME_BYTES];
	char location[FLEET_NAME_BYTES];
	int64_t price_hour_micros; /* with what the server has: IPv4 included if it has one */
	int64_t server_id;	   /* 0: not known (yet) */
	int64_t server_created_us; /* the provider's word: its paid hours count from here */
	enum fleet_operation operation;
	enum fleet_drain drain; /* while draining */
	int64_t drain_us;	/* when it began to drain */
	int64_t delete_us;	/* when the provider took the last order to delete it; 0: none */
	uint32_t hours_booked;	/* paid hours that the ledger has */
	/* Filled by fleet_loop: complete listings in a row that lacked its server, all begun after
	 * it was recorded (or the intent written) and its deletion ordered; and how far the first
	 * and the last of them lie apart. */
	uint32_t absent_looks;
	uint64_t absent_ms;
};

/* A server that carries the labels of a worker of this grid, or of a builder of its images, in the
 * last complete listing. */
struct fleet_server {
	int64_t id;
	int64_t worker_id; /* its label; 0: unreadable, or it has none */
	int64_t created_us;
	bool is_deleting; /* the provider is at it already */
	bool is_off;	  /* its power is */
	bool is_builder;  /* an image is being made of it: never a worker's */
};

/* The actions that the creation of a worker's server set going, while they are not known to have
 * ended. */
#define FLEET_PENDING_ACTIONS_MAX 8
struct fleet_pending {
	int64_t worker_id;
	int64_t server_id;
	int64_t action_ids[FLEET_PENDING_ACTIONS_MAX];
	size_t action_count;
};

/* Jobs that wait and may run now, by what they need. Those over their batch's limit, delayed ones
 * and those held for money are not among them. */
struct fleet_shape {
	uint64_t cpu_millis;
	uint64_t memory_bytes;
	uint64_t count;
	uint64_t oldest_ms; /* how long the first of them waits */
};

/* Where a worker's server may come from. */
struct fleet_choice {
	char server_type[FLEET_NAME_BYTES];
	char location[FLEET_NAME_BYTES];
	uint64_t cpu_millis; /* 0: not known, does not limit */
	uint64_t memory_bytes;
	int64_t price_hour_micros; /* IPv4 included if workers get one; 0: free */
	bool withdrawn;		   /* the provider sells it there no more */
};

/* Why a choice is left alone for a while. Codes are stored; never renumber. */
enum fleet_cooling_cause {
	FLEET_COOLING_SOLD_OUT = 1,
	FLEET_COOLING_WITHDRAWN, /* the type is not sold at that location */
	FLEET_COOLING_NO_START,	 /* a server of it did not come up */
	FLEET_COOLING_REFUSED,	 /* any other refusal, or workers that end at once */
};
struct fleet_cooling {
	char server_type[FLEET_NAME_BYTES];
	char location[FLEET_NAME_BYTES];
	int64_t until_us;
	enum fleet_cooling_cause cause;
};

#define FLEET_WORKERS_MAX  16384
#define FLEET_SERVERS_MAX  16384
#define FLEET_SHAPES_MAX   64
#define FLEET_CHOICES_MAX  32
#define FLEET_COOLINGS_MAX 64

struct fleet_world {
	int64_t now_us;
	uint64_t seed; /* for jitter */

	struct fleet_worker *workers;
	size_t worker_count, worker_capacity;
	struct fleet_server *servers;
	size_t server_count, server_capacity;
	struct fleet_pending *pendings; /* for fleet_loop; decisions see worker->operation */
	size_t pending_count, pending_capacity;
	struct fleet_shape *shapes;
	size_t shape_count, shape_capacity;
	struct fleet_choice *choices;
	size_t choice_count, choice_capacity;
	struct fleet_cooling *coolings;
	size_t cooling_count, cooling_capacity;

	int64_t listed_us; /* when `servers`, a complete listing, was asked for; 0: there is none */
	bool listing_is_new; /* it was not there at the last decision */

	/* Jobs that may not run now, told apart for those who ask why */
	uint64_t parked_count;	/* over their batch's parallel limit */
	uint64_t delayed_count; /* between two attempts */
	uint64_t held_count;	/* their project's spending limit is reached */

	bool stopping;		  /* the grid is being shut down: drain everything */
	bool is_paused;		  /* an operator wants no new workers */
	int64_t quota_until_us;	  /* the provider's limit was met: no creation before */
	int64_t trouble_until_us; /* the provider does not answer: no creation before */
	uint64_t requests_left;	  /* of the provider's rate limit; UINT64_MAX: not known */
	uint64_t deletion_ms;	  /* the longest of the last deletions; 0: none was measured */
	uint64_t network_members; /* of the private network, when listed; 0 without one */
	int64_t spent_micros;	  /* this month, started hours of living servers included */
};

void fleet_world_init(struct fleet_world *world);
void fleet_world_release(struct fleet_world *world);
/* Empties it, and keeps the memory. */
void fleet_world_clear(struct fleet_world *world);
/* Adds a zeroed one, to be filled; valid until the next is added. NULL when the world is full:
 * callers leave the rest out (workers: the oldest come first; shapes: merged by
 * fleet_world_add_shape). A listing that is not taken in whole is not complete. */
struct fleet_worker *fleet_world_add_worker(struct fleet_world *world);
struct fleet_server *fleet_world_add_server(struct fleet_world *world);
struct fleet_pending *fleet_world_add_pending(struct fleet_world *world);
struct fleet_choice *fleet_world_add_choice(struct fleet_world *world);
struct fleet_cooling *fleet_world_add_cooling(struct fleet_world *world);
/* Jobs of one shape are added up; beyond FLEET_SHAPES_MAX shapes they count as the last one, whose
 * needs become the larger of both. */
void fleet_world_add_shape(struct fleet_world *world, const struct fleet_shape *shape);
