/* POST /x/{id}/actions/change_protection {delete, rebuild}, for every resource that has it. */
#pragma once

#include "hcloud/action.h"
#include "hcloud/call.h"

/* Begins the action for a document that the caller has found. Servers, which also have "rebuild",
 * are protected against both or neither. */
int protection_change(struct call *call, enum kind kind, const json_t *doc);
/* The effect of change_protection. */
MUST_CHECK int protection_effect(const struct action_run *run);
