/* The rows that the database answers fleet_store's observations with, put into a world. */
#pragma once

#include <libpq-fe.h>

#include "core/fleet.h"

/* Of query_fleet_facts, _workers, _shapes and _coolings. */
void fleet_rows_facts(const PGresult *result, struct fleet_world *world);
void fleet_rows_workers(const PGresult *result, struct fleet_world *world);
void fleet_rows_shapes(const PGresult *result, struct fleet_world *world);
void fleet_rows_coolings(const PGresult *result, struct fleet_world *world);
