/* Primary IPs: the public addresses of servers. One that came with its server is deleted with it;
 * one that was ordered by itself stays and is billed. A server has at most one of each type; which
 * it has is said here and not in the server.
 *
 * IPv4 addresses are of 198.18.0.0/15, which nobody routes, and differ over all projects; IPv6
 * networks are /64 of 2001:db8::/32. */
#pragma once

#include "hcloud/action.h"
#include "hcloud/route.h"

enum ip_type { IP_V4 = 1, IP_V6 };

extern const struct route primary_ip_routes[];

/* With "location" as an object, a new reference. */
json_t *primary_ip_view(struct sim *sim, struct project *project, const json_t *primary_ip);
/* Of that type and assigned to the server, or NULL. */
json_t *primary_ip_of_server(const struct project *project, int64_t server_id, enum ip_type type);
/* Makes the document, fresh from resource_new, an unassigned address at that location. */
void primary_ip_fill(struct sim *sim, json_t *doc, enum ip_type type, const char *location);
/* The "dns_ptr" of a new address: none for IPv6. */
json_t *primary_ip_default_dns(const char *ip);
/* A new one that is deleted with its server, which it is assigned to. */
json_t *primary_ip_add_for_server(struct sim *sim, struct project *project, enum ip_type type,
				  const char *location, int64_t server_id);
/* 403 resource_limit_exceeded when the project has as many as its servers could have. */
MUST_CHECK int primary_ip_check_quota(struct call *call);
/* Whether a server may be created with it: 422 or 412 when it is of another type or place, or
 * somebody has it. */
MUST_CHECK int primary_ip_check_free(struct call *call, const json_t *primary_ip, enum ip_type type,
				     const char *location);
void primary_ip_assign(json_t *primary_ip, int64_t server_id);
/* When a server is deleted: its addresses go too, or are free again. */
void primary_ip_forget_server(struct project *project, int64_t server_id);
/* {"ipv4": {id, ip, blocked, dns_ptr} or null, "ipv6": …}, as servers show them. */
void primary_ip_show_in_server(const struct project *project, int64_t server_id,
			       json_t *public_net);
/* Effects. */
MUST_CHECK int primary_ip_assign_effect(const struct action_run *run);
MUST_CHECK int primary_ip_unassign_effect(const struct action_run *run);
MUST_CHECK int primary_ip_dns_effect(const struct action_run *run);
