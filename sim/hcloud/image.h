/* Images: those of the system, which all projects share (catalog), and the snapshots and backups
 * that a project made of its servers. */
#pragma once

#include "hcloud/action.h"
#include "hcloud/route.h"

extern const struct route image_routes[];

/* Borrowed; NULL when the project sees none of that id. */
json_t *image_find(struct sim *sim, struct project *project, int64_t id);
/* By "id or name" as requests have it; a name means the image of that architecture. Snapshots have
 * no names. */
json_t *image_find_for(struct sim *sim, struct project *project, const json_t *id_or_name,
		       const char *architecture);
/* After an action that ended as error: an image that was not finished is of no use. */
void image_action_failed(const struct action_run *run);
