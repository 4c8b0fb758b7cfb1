/* A request's body as it arrives: collected for JSON, into the blob store for blobs, or dropped
 * when the answer is decided already. Bounded in size, in what it may cost in memory, and in
 * slowness. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct request;

/* Whether it is worth reading to its end before refusing it: a client that sends without waiting
 * would see a broken connection instead of our answer. */
bool body_is_small(const struct request *request);
/* False: hang up. */
bool body_take(struct request *request, const char *data, size_t bytes);
/* All has come: parses it, where the route wants JSON. */
MUST_CHECK int body_finish(struct request *request, struct error *err);
