/* What is asked about actions: one, several by id, those of a kind, those of a resource. */
#pragma once

#include "hcloud/route.h"

extern const struct route action_routes[];
/* GET /x/actions, /x/actions/{id}, /x/{id}/actions: for the tables of resources that have them. */
int action_list_of_kind(struct call *call, enum kind kind);
int action_get_of_kind(struct call *call, enum kind kind);
int action_list_of_resource(struct call *call, enum kind kind);
/* GET /x/{id}/actions/{id} */
int action_get_of_resource(struct call *call, enum kind kind);
