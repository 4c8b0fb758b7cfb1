/* Servers. The document holds what cannot be found elsewhere: ids of type, image and placement
 * group, the location's name, its places in networks (attachment.h), user_data, ssh keys as they
 * were at creation. Addresses and firewalls know the server that they belong to. */
#pragma once

#include "hcloud/action.h"
#include "hcloud/route.h"

extern const struct route server_routes[];

/* As the API shows it, a new reference. */
json_t *server_view(struct sim *sim, struct project *project, const json_t *server);
const json_t *server_type_of(const struct sim *sim, const json_t *server);
/* The network zone that it is in. */
const char *server_zone(const struct sim *sim, const json_t *server);
/* The server of the path when no action runs on it; NULL with the problem filled otherwise. */
json_t *server_unlocked(struct call *call);
/* The action's server, or NULL with the problem filled: it may be gone by then. */
json_t *server_target(const struct action_run *run);
/* Begins an action on the server alone and answers 201. args is taken, NULL for none. */
int server_begin(struct call *call, const json_t *server, const char *command, json_t *args);

/* Leaves the network at once; a network's deletion does that too. */
void server_leave(struct sim *sim, struct project *project, json_t *server, int64_t network_id);
/* Takes it, its addresses and its machine out of the world. */
void server_erase(struct sim *sim, struct project *project, json_t *server);
/* After an action that ended as error: a server does not stay in a state that nobody ends. */
void server_action_failed(const struct action_run *run);
/* Effects. */
MUST_CHECK int server_deleted(const struct action_run *run);
