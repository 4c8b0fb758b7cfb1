/* One decision under way, shared by the files that make it (fleet.c, fleet_rules.c, fleet_demand.c)
 * and of no use elsewhere. Everything in it is sorted by ids, so that the order of the world's
 * arrays cannot matter. */
#pragma once

#include "core/fleet.h"
#include "core/fleet_choice.h"

/* A worker, and what has been decided about it so far. */
struct fleet_seat {
	const struct fleet_worker *worker;
	const struct fleet_server *server; /* of it, in the listing; NULL: not there */
	bool is_decided;		   /* it has its action */
	bool is_gone;			   /* it has ended, or ends by its action */
	bool is_draining;
	bool is_needed; /* waiting jobs were put on it */
	uint64_t hour_left_ms;
};

/* What becomes of the jobs of one shape. */
struct fleet_portion {
	const struct fleet_shape *shape;
	uint64_t left; /* nothing is there for them yet */
	uint64_t claim_count;
	uint64_t booting_count;
	const struct fleet_worker *booting; /* the first that boots */
	uint64_t creating_count;
	size_t creating_choice; /* of the first that is created */
	enum fleet_wait_code blocked;
};

struct fleet_decision {
	const struct fleet_world *world;
	const struct fleet_policy *policy;
	struct fleet_plan *plan;
	struct fleet_options options;

	struct fleet_seat *seats; /* by worker id */
	size_t seat_count;
	struct fleet_seat **order;	    /* seat_count places, for sorting */
	const struct fleet_server **strays; /* servers of no worker in the world, by id */
	size_t stray_count;
	struct fleet_portion portions[FLEET_SHAPES_MAX]; /* largest shapes first */
	size_t portion_count;

	uint64_t max;
	uint64_t kept;		  /* workers that stay: not draining, not going */
	uint64_t spare;		  /* of them, those that nobody needs; once jobs are placed */
	uint64_t occupied;	  /* servers that exist or are to exist, whatever for */
	uint64_t unlisted;	  /* of them, not in the listing: not among network_members yet */
	uint64_t created;	  /* by this decision */
	int64_t committed_micros; /* first hours that are not in world->spent_micros yet */
	int64_t newest_id;
};

struct fleet_rule {
	struct fleet_rule_text text;
	/* One of both: judges each worker that has no action yet, or does all by itself. */
	bool (*applies)(const struct fleet_decision *decision, const struct fleet_seat *seat);
	void (*run)(struct fleet_decision *decision, const struct fleet_rule *rule);
	enum fleet_drain drain;
	enum worker_state end; /* 0: by what the worker has been through */
	enum fleet_cooling_cause cooling;
};

bool fleet_seat_is_live(const struct fleet_seat *seat);
/* Stays and may be given jobs, now or when it has come up. */
bool fleet_seat_stays(const struct fleet_seat *seat);
bool fleet_seat_may_return(const struct fleet_decision *decision, const struct fleet_seat *seat);
/* Fills decision->order with all seats in the order of `compare`, which gets pointers to pointers.
 */
void fleet_seats_sort(struct fleet_decision *decision,
		      int (*compare)(const void *a, const void *b));

/* Gives the seat its action. */
void fleet_act(struct fleet_decision *decision, const struct fleet_rule *rule,
	       struct fleet_seat *seat);
/* As fleet_act, for a server that no worker knows. */
void fleet_act_server(struct fleet_decision *decision, const struct fleet_rule *rule,
		      const struct fleet_server *server);
/* Orders a server of the choice, if every limit allows; else why not. */
enum fleet_wait_code fleet_create(struct fleet_decision *decision, const struct fleet_rule *rule,
				  size_t choice);

/* Puts waiting jobs on the workers that stay: busy ones first, then those with much of their paid
 * hour left, so that the others can go; then on those that boot. */
void fleet_demand_place(struct fleet_decision *decision);
void fleet_demand_undrain(struct fleet_decision *decision, const struct fleet_rule *rule);
/* Creates workers for what is left, and writes the waits. */
void fleet_demand_create(struct fleet_decision *decision, const struct fleet_rule *rule);
bool fleet_demand_is_met(const struct fleet_decision *decision);

extern const struct fleet_rule fleet_rules[];
extern const size_t fleet_rule_count;
