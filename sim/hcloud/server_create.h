/* POST /servers. */
#pragma once

#include "hcloud/action.h"

int server_create(struct call *call);

/* Effects. */
MUST_CHECK int server_created(const struct action_run *run);

#define SERVER_PASSWORD_CHARS 20
