/* Worlds for the tests of the fleet's decision, and a model of what a plan does to one. */
#pragma once

#include "core/fleet.h"

#define NOW_US	  INT64_C(1800000000000000)
#define SECOND_US INT64_C(1000000)
#define MINUTE_US (60 * SECOND_US)
#define HOUR_US	  (60 * MINUTE_US)

/* A world at NOW_US with one choice, "cx23" in "nbg1", and a complete listing. */
void fixture_world(struct fleet_world *world);
/* The default policy with max 4 and slots 2. */
struct fleet_policy fixture_policy(void);
/* A worker whose server is `age_us` old and listed; joined unless provisioning. Ids are given in
 * order, from 1; its server's id is 1000 more. */
struct fleet_worker *fixture_worker(struct fleet_world *world, enum worker_state state,
				    int64_t age_us);
/* The same, draining for the cause. */
struct fleet_worker *fixture_draining(struct fleet_world *world, enum fleet_drain cause,
				      int64_t age_us);
void fixture_jobs(struct fleet_world *world, uint64_t count);
struct fleet_choice *fixture_choice(struct fleet_world *world, const char *server_type,
				    const char *location);
void fixture_cool(struct fleet_world *world, size_t choice, enum fleet_cooling_cause cause,
		  int64_t until_us);
void fixture_unlist(struct fleet_world *world, int64_t worker_id);

/* Does what the plan says, as if every order succeeded at once and no time passed. */
void fixture_apply(struct fleet_world *world, const struct fleet_plan *plan);
