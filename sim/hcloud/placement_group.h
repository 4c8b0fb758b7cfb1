/* Placement groups of type "spread": at most 10 servers, each on another host. A server carries
 * the id of its group in "_placement_group"; which servers a group has is found from there. */
#pragma once

#include "hcloud/route.h"

#define PLACEMENT_GROUP_SERVERS_MAX 10

extern const struct route placement_group_routes[];

/* With "servers", a new reference. */
json_t *placement_group_view(struct sim *sim, struct project *project, const json_t *group);
/* 422 placement_group_member_limit_reached when the group is full. */
MUST_CHECK int placement_group_check_room(struct call *call, int64_t group_id);
