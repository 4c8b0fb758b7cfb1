/* Points in time as clients write them. */
#pragma once

#include <stdint.h>

#include "base/error.h"

/* RFC 3339: "2026-11-23T18:53:21.042Z", "…+01:00". Microseconds since 1970; years 1970 to 9999. */
MUST_CHECK int instant_parse(const char *text, int64_t *ret_wall_us, struct error *err);
