/* Servers in networks: attach, detach, aliases, and the rules of joining. */
#pragma once

#include "hcloud/network_rules.h"
#include "hcloud/server.h"

extern const struct route server_network_routes[];

/* Whether the server could join, and the address that it would get. Nothing is changed. `server`
 * may be a new one that is in no table yet; its zone and its other networks count. */
MUST_CHECK int server_choose_ip(struct call *call, const json_t *server, const json_t *network,
				const struct ip_wish *wish, uint32_t *ret_ip);
/* Reserves the address and begins attach_to_network; the action, borrowed. */
const json_t *server_join(struct sim *sim, struct project *project, json_t *server,
			  int64_t network_id, uint32_t ip, const json_t *alias_ips, int64_t after);

/* Effects. */
MUST_CHECK int server_attached(const struct action_run *run);
MUST_CHECK int server_detached(const struct action_run *run);
MUST_CHECK int server_aliases_changed(const struct action_run *run);
