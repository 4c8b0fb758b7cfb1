/* Firewalls: rules, and what they are applied to: servers, named one by one ("direct") or found by
 * a label selector. Which servers have a firewall now is in the firewall, with what becomes of
 * each: "pending" until an apply_firewall action has ended, "applied", "removing".
 * firewall_reconcile begins the actions that are missing; whoever changes servers, their labels or
 * their addresses calls it. A server without a public interface has no firewall. */
#pragma once

#include "hcloud/action.h"
#include "hcloud/route.h"

#define FIREWALLS_PER_SERVER_MAX 5

extern const struct route firewall_routes[];

/* With "applied_to", a new reference. */
json_t *firewall_view(struct sim *sim, struct project *project, const json_t *firewall);
/* [{"id", "status"}] as in a server's public_net, a new reference. */
json_t *firewall_list_of_server(const struct project *project, int64_t server_id);
size_t firewall_count_of_server(const struct project *project, int64_t server_id);

/* A server that is created with the firewall has it from the start. */
void firewall_add_new_server(json_t *firewall, int64_t server_id);
void firewall_forget_server(struct project *project, int64_t server_id);
/* The actions begin after the one with that id, or at once for 0; their views are appended to
 * `actions`, unless it is NULL. */
void firewall_reconcile(struct sim *sim, struct project *project, int64_t after, json_t *actions);
/* New rules: an apply_firewall action for every server that has the firewall. */
void firewall_renew(struct sim *sim, struct project *project, const json_t *firewall,
		    json_t *actions);

/* Direct targets and selectors; both say whether something was there. */
bool firewall_has_target(const json_t *firewall, int64_t server_id, const char *selector);
void firewall_add_target(json_t *firewall, int64_t server_id, const char *selector);
bool firewall_remove_target(json_t *firewall, int64_t server_id, const char *selector);
/* The member of "_servers" for that server, or NULL. */
json_t *firewall_find_server(const json_t *firewall, int64_t server_id);
bool firewall_is_in_use(const json_t *firewall);

/* Effects. */
MUST_CHECK int firewall_apply_effect(const struct action_run *run);
MUST_CHECK int firewall_remove_effect(const struct action_run *run);
/* After an action that ended as error: the server has the firewall still, or still not. */
void firewall_action_failed(const struct action_run *run);
