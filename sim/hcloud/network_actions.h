/* What changes a network later: its subnets, routes, range. */
#pragma once

#include "hcloud/action.h"
#include "hcloud/route.h"

extern const struct route network_action_routes[];

/* Effects. */
MUST_CHECK int network_subnet_added(const struct action_run *run);
MUST_CHECK int network_subnet_deleted(const struct action_run *run);
MUST_CHECK int network_route_added(const struct action_run *run);
MUST_CHECK int network_route_deleted(const struct action_run *run);
MUST_CHECK int network_range_changed(const struct action_run *run);
/* At once, from every server. */
void network_detach_all(struct sim *sim, struct project *project, int64_t network_id);
