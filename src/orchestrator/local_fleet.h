/* struct fleet_cloud (ports.h) for processes of this machine: a worker's "server" is its process,
 * which costs nothing, is known by the worker's id, and dies with us. */
#pragma once

#include <stdint.h>

#include "cloud/cloud.h"
#include "orchestrator/ports.h"

struct local_fleet;

/* Fills *ret, whose context is the returned object. cloud is borrowed. */
struct local_fleet *local_fleet_new(struct cloud *cloud, struct fleet_cloud *ret);
void local_fleet_free(struct local_fleet *fleet);
