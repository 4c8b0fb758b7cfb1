/* Power: on, off, shutdown, reboot, reset. */
#pragma once

#include "hcloud/action.h"
#include "hcloud/route.h"

extern const struct route server_power_routes[];

/* Effects. */
MUST_CHECK int server_started(const struct action_run *run);
MUST_CHECK int server_stopped(const struct action_run *run);
MUST_CHECK int server_shut_down(const struct action_run *run);
MUST_CHECK int server_rebooted(const struct action_run *run);
MUST_CHECK int server_was_reset(const struct action_run *run);
