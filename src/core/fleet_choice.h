/* The ordered (server type, location) choices, and which of them are left alone for now. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/fleet.h"

/* One choice as it stands at world->now_us. */
struct fleet_option {
	const struct fleet_choice *choice;
	enum fleet_cooling_cause cause; /* 0: usable */
	int64_t until_us;		/* of the cause */
};
struct fleet_options {
	struct fleet_option items[FLEET_CHOICES_MAX];
	size_t count;
};

void fleet_options_init(struct fleet_options *options, const struct fleet_world *world);
/* The first that is usable and on which one job of the shape has room (NULL: any); -1 if there is
 * none. ret_wait, then: why. */
int fleet_options_find(const struct fleet_options *options, const struct fleet_shape *shape,
		       enum fleet_wait_code *ret_wait);
/* When the first choice that would do for the shape has cooled down; 0: none will. */
int64_t fleet_options_until(const struct fleet_options *options, const struct fleet_shape *shape);
/* "cx23 in nbg1 is sold out, cx23 in hel1 did not start": those that would do for the shape and are
 * left alone, among the first `count`. "" if there are none. Cut to what fits. */
void fleet_options_describe(const struct fleet_options *options, const struct fleet_shape *shape,
			    size_t count, char *out, size_t out_bytes);

/* How many jobs of a shape fit into what is free; capacities of 0 do not limit. */
uint64_t fleet_fit(const struct fleet_shape *shape, uint64_t slots, uint64_t cpu_millis,
		   uint64_t memory_bytes, bool is_cpu_known, bool is_memory_known);

/* Until when a choice is left alone for the cause: the policy's time, and up to a quarter more by
 * the seed, so that not all come back at once. */
int64_t fleet_cool_until(const struct fleet_policy *policy, enum fleet_cooling_cause cause,
			 int64_t now_us, uint64_t seed);
