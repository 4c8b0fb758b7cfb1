/* The simulator's own endpoints, under /_sim/: faults, clock, bill, state. They are for tests, not
 * part of Hetzner's API, and do not count against its rate limit. Without --control-token they
 * answer the loopback interface only. */
#pragma once

#include "hcloud/call.h"

#define CONTROL_PREFIX "/_sim/"

void control_serve(struct call *call);
