/* What changes a server's disk or hardware: rebuild, images of it, another type. */
#pragma once

#include "hcloud/action.h"
#include "hcloud/route.h"

extern const struct route server_disk_routes[];

/* Effects. */
MUST_CHECK int server_rebuilt(const struct action_run *run);
MUST_CHECK int server_type_changed(const struct action_run *run);
MUST_CHECK int server_image_created(const struct action_run *run);
