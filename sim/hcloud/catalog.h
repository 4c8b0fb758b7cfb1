/* What all projects share and nobody can change: locations, server types with their prices, and
 * the images of the system. */
#pragma once

#include "hcloud/route.h"

extern const struct route catalog_routes[];

/* Once, at the start. */
void catalog_fill(struct sim *sim);
/* A location or server type by "id or name", as requests name it; NULL when there is none. A fault
 * may have retired a server type: it is not found then. */
const json_t *catalog_find(struct sim *sim, enum kind kind, const json_t *id_or_name);
/* What the API shows of a server type: a fault may have announced its end. */
json_t *server_type_view(struct sim *sim, struct project *project, const json_t *server_type);
/* Whether servers of that type can be ordered at that location: sold there, and not gone. */
bool server_type_is_at(const json_t *server_type, const char *location);
/* For a server there. Net, in micro-euros an hour and a month; 0 where it is not sold. */
int64_t server_type_hourly_micros(const json_t *server_type, const char *location);
int64_t server_type_monthly_micros(const json_t *server_type, const char *location);
