/* The rules of firewalls: what the API takes, and how it gives it back. Pure. */
#pragma once

#include <jansson.h>

#include "hcloud/problem.h"

#define FIREWALL_RULES_MAX	     50
#define FIREWALL_RULE_NETWORKS_MAX   100
#define FIREWALL_EFFECTIVE_RULES_MAX 500

/* The array as requests have it into one with all members of every rule, a new reference;
 * invalid_input names the member at fault, as in "rules.0.port". */
MUST_CHECK int firewall_rules_read(const json_t *rules, json_t **ret, struct problem *problem);
