/* Applies a plan, action by action, against the ports. What fails is told and left to the next
 * tick: the world, not the answer, is the truth. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/fleet.h"
#include "orchestrator/fleet_loop.h"
#include "orchestrator/ports.h"

#define FLEET_BATCH_MAX 8 /* orders to the provider at once */

struct fleet_apply {
	const struct fleet_store *store;
	const struct fleet_cloud *cloud;
	const struct fleet_policy *policy;
	const struct fleet_listener *listener; /* may be NULL */
	const struct fleet_world *world;
	int64_t fence;

	bool lost_lead;	 /* somebody else leads: nothing more may be done */
	bool in_trouble; /* the provider did not answer as it should */
	bool well;	 /* the provider has done something for us */
	bool look;	 /* a listing is wanted soon */
	size_t failed_count;
	bool is_cool[FLEET_CHOICES_MAX]; /* refused in this tick */

	struct fleet_creation creations[FLEET_BATCH_MAX];
	struct fleet_intent intents[FLEET_BATCH_MAX];
	const struct fleet_action *created_by[FLEET_BATCH_MAX];
	size_t creation_count;
	struct fleet_deletion deletions[FLEET_BATCH_MAX];
	const struct fleet_action *deleted_by[FLEET_BATCH_MAX];
	size_t deletion_count;
};

/* The first members, up to the fence, are the caller's to fill. */
void fleet_apply_plan(struct fleet_apply *apply, const struct fleet_plan *plan);
