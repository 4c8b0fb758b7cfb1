/* One at a time of what changes this server: `rgrid db expose`, by hand or by the unit that follows
 * the orchestrator's list, and `rgrid server setup`. Two at once would take one another's settings
 * away, and end PostgreSQL while the other one starts it. Held until the descriptor is closed, so
 * that whoever dies leaves nothing. */
#pragma once

#include "base/error.h"

/* Waits for another one, and says so on stderr; ERR_CONFLICT when that lasts too long. The caller
 * closes *ret_fd. */
MUST_CHECK int setup_lock_take(int *ret_fd, struct error *err);
