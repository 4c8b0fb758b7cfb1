/* Where a worker stands in its paid hour. Hours count from the creation of its server, or of its
 * row while that is not known. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/fleet.h"

/* The margin is at least this many times what the longest of the recent deletions took: once for
 * the deletion itself, once for all that comes before it. */
#define FLEET_MARGIN_DELETIONS 2
/* … but no more than this part of the paid hour, however slow the provider is. */
#define FLEET_MARGIN_HOUR_PART 12

/* Milliseconds between two instants; 0 when `from` is later. */
uint64_t fleet_ms_since(int64_t now_us, int64_t from_us);
/* Until its next paid hour begins: 1 to hour_ms. UINT64_MAX when hours are not billed. */
uint64_t fleet_hour_left_ms(const struct fleet_worker *worker, int64_t now_us,
			    const struct fleet_policy *policy);
/* The stretch in which an idle worker goes: late enough to have used what is paid, early enough to
 * be gone in time. Always, when hours are not billed. */
bool fleet_hour_is_ending(const struct fleet_worker *worker, int64_t now_us,
			  const struct fleet_policy *policy);
/* The stretch before that, in which a busy worker is kept from new jobs. */
bool fleet_hour_is_for_packing(const struct fleet_worker *worker, int64_t now_us,
			       const struct fleet_policy *policy);
/* Lets the stretch in which idle workers go begin, and end, as early as deletions need that have
 * lately taken up to deletion_ms; 0: not known. It keeps its width of at least half the margin, and
 * the policy's own values are the least of both. */
void fleet_hour_follow_deletions(struct fleet_policy *policy, uint64_t deletion_ms);
