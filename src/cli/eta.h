/* How fast a batch goes and when it will be done: the rate over a sliding window of recent samples,
 * so that a slow start (workers booting) does not spoil the estimate for ever. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ETA_SAMPLES    32
#define ETA_SPACING_MS 1000 /* samples closer than this replace the newest one */

struct eta {
	struct {
		uint64_t at_ms;
		uint64_t done;
	} samples[ETA_SAMPLES];
	size_t count; /* samples kept, the oldest first */
};

/* Notes that `done` of the items had ended at `at_ms`; times and counts never go back. */
void eta_note(struct eta *eta, uint64_t at_ms, uint64_t done);
/* Items per 1000 s over the window; 0 when unknown. */
uint64_t eta_rate_milli(const struct eta *eta);
/* False while there is nothing to estimate from. */
bool eta_left_ms(const struct eta *eta, uint64_t total, uint64_t *ret_left_ms);
