/* Networks: a private range with subnets and routes. What may be in one is network_rules.h's to
 * say; which servers are in it is found from the servers (attachment.h). */
#pragma once

#include "hcloud/action.h"
#include "hcloud/network_rules.h"
#include "hcloud/route.h"

extern const struct route network_routes[];

/* With "servers", a new reference. */
json_t *network_view(struct sim *sim, struct project *project, const json_t *network);
/* The document as the rules know it; borrows from it. */
void network_plan_read(const json_t *network, struct network_plan *ret);
/* Reads {"type", "ip_range", "network_zone", "vswitch_id"}; without a range, the first free one. */
MUST_CHECK int network_subnet_read(struct call *call, const struct network_plan *plan,
				   const json_t *json, struct subnet *ret);
MUST_CHECK int network_route_read(struct call *call, const struct network_plan *plan,
				  const json_t *json, struct network_route *ret);
/* As documents have them, new references. */
json_t *network_subnet_json(const struct network_plan *plan, const struct subnet *subnet);
json_t *network_route_json(const struct network_route *route);
/* `conflict` while another change of the network is under way. */
MUST_CHECK int network_check_idle(struct call *call, const json_t *network);
