/* The world and the plan of one tick, on standard output, for people. */
#pragma once

#include "core/fleet.h"

void dry_run_print(const struct fleet_world *world, const struct fleet_plan *plan);
