/* A server's place in a network: address, aliases, MAC. It is stored in the server ("_nets"), from
 * the moment the address is chosen; until the action that attaches has succeeded it is `pending`:
 * the address is taken, but nobody is shown it. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hcloud/network_rules.h"
#include "hcloud/sim.h"

/* Borrowed, or NULL. */
json_t *attachment_find(const json_t *server, int64_t network_id);
size_t attachment_count(const json_t *server);
/* Pending; with a MAC of its own. Borrowed. */
json_t *attachment_add(json_t *server, int64_t network_id, uint32_t ip);
void attachment_remove(json_t *server, int64_t network_id);
/* "private_net" as servers show it: what is not pending, or all. A new reference. */
json_t *attachment_private_net(const json_t *server);

/* How many servers are in the network, and their ids (a new reference). */
size_t attachment_count_in(const struct project *project, int64_t network_id);
json_t *attachment_servers(const struct project *project, int64_t network_id);
/* Every address that is taken in the network, aliases and just-freed ones included, but for that
 * server's own (0: nobody's). *ret_ips is to be freed. */
void attachment_taken(const struct project *project, int64_t network_id, int64_t except_server_id,
		      uint32_t **ret_ips, size_t *ret_count);
/* An address that is given back stays taken for so long; a fault. */
void attachment_cool(json_t *network, const json_t *attachment, uint64_t ms);
