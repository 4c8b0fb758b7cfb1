/* Time. Durations and deadlines on one machine use CLOCK_BOOTTIME (it counts suspend, so a lease
 * held by a paused VM is seen to expire). Wall time comes from PostgreSQL wherever machines must
 * agree; clock_wall_us is for file names, messages and log lines. */
#pragma once

#include <stddef.h>
#include <stdint.h>

uint64_t clock_boottime_us(void);
uint64_t clock_boottime_ms(void);
int64_t clock_wall_us(void); /* since 1970, UTC */

#define CLOCK_RFC3339_BYTES 32
/* "2026-11-23T18:53:21.042Z" (milliseconds); returns out. */
const char *clock_format_rfc3339(int64_t wall_us, char out[CLOCK_RFC3339_BYTES]);
