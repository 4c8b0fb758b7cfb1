/* The list of resources: their routes, and how each kind is shown. */
#pragma once

#include "hcloud/route.h"

/* The index-th table of routes, or NULL after the last. */
const struct route *resource_routes(size_t index);
/* The document as the API shows it, a new reference. */
json_t *resource_view(struct sim *sim, struct project *project, enum kind kind, const json_t *doc);
