/* The servers' other actions: placement groups, rescue, passwords, console, backups, protection. */
#pragma once

#include "hcloud/action.h"
#include "hcloud/route.h"

extern const struct route server_misc_routes[];

/* Effects. */
MUST_CHECK int server_group_joined(const struct action_run *run);
MUST_CHECK int server_group_left(const struct action_run *run);
MUST_CHECK int server_rescue_enabled(const struct action_run *run);
MUST_CHECK int server_rescue_disabled(const struct action_run *run);
MUST_CHECK int server_backup_enabled(const struct action_run *run);
MUST_CHECK int server_backup_disabled(const struct action_run *run);
