/* Spread placement groups: no two servers of one stand on the same host, so that a host that dies
 * takes one worker. A group holds HETZNER_GROUP_SERVERS_MAX servers; more are made as they are
 * needed, and deleted when they have been empty for a while.
 *
 * Groups are ours when they carry managed-by=rgrid, this grid's id and the role "spread"
 * (core/label.h); no other is used or deleted. Which there are is asked of the provider each time,
 * since it alone knows; that one was made by an order whose answer was lost shows in its labels. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "cloud/hetzner.h"

struct hetzner_groups;

/* Borrows both. sweep_ms: 0 takes the default, five minutes. */
struct hetzner_groups *hetzner_groups_new(struct hetzner *hetzner, const char *grid_id,
					  uint64_t sweep_ms);
void hetzner_groups_free(struct hetzner_groups *groups);

/* Finds a group for each of `count` new servers. On failure the first *ret_count have one all the
 * same, and the client's last failure says what was wrong. */
MUST_CHECK int hetzner_groups_take(struct hetzner_groups *groups, size_t count, int64_t *ret_ids,
				   size_t *ret_count, struct error *err);
/* To be called whenever there is time: looks every sweep_ms, and deletes what was empty at two
 * looks in a row. */
void hetzner_groups_sweep(struct hetzner_groups *groups);
