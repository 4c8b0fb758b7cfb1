/* Times from the server (RFC 3339, UTC) for people: "3m ago" on a terminal, as they came elsewhere.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WHEN_BYTES 40

/* "2026-11-23T18:53:21.042Z", also without a fraction: microseconds since 1970. */
bool when_parse(const char *text, int64_t *ret_wall_us);
/* "just now", "42s ago", "3m ago", "5h ago", "2d ago", the date beyond 30 days; returns out. */
const char *when_relative(int64_t wall_us, int64_t now_us, char out[WHEN_BYTES]);
/* Relative on a terminal, else the text itself; "" for NULL. */
const char *when_show(const char *text, bool relative, char out[WHEN_BYTES]);
