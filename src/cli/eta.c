#include "cli/eta.h"

#include <string.h>

void eta_note(struct eta *eta, uint64_t at_ms, uint64_t done)
{
	size_t last = eta->count;

	/* Replace the newest sample only when the one before it is near, so that the first stays.
	 */
	if (eta->count >= 2 && at_ms - eta->samples[eta->count - 2].at_ms < ETA_SPACING_MS)
		last = eta->count - 1;
	if (last == ETA_SAMPLES) {
		memmove(eta->samples, eta->samples + 1,
			(ETA_SAMPLES - 1) * sizeof(eta->samples[0]));
		last = ETA_SAMPLES - 1;
	}
	eta->samples[last].at_ms = at_ms;
	eta->samples[last].done = done;
	eta->count = last + 1;
}

uint64_t eta_rate_milli(const struct eta *eta)
{
	uint64_t passed_ms, done;

	if (eta->count < 2)
		return 0;
	passed_ms = eta->samples[eta->count - 1].at_ms - eta->samples[0].at_ms;
	done = eta->samples[eta->count - 1].done - eta->samples[0].done;
	return passed_ms == 0 ? 0 : done * 1000 * 1000 / passed_ms;
}

bool eta_left_ms(const struct eta *eta, uint64_t total, uint64_t *ret_left_ms)
{
	uint64_t rate_milli = eta_rate_milli(eta);
	uint64_t done;

	if (rate_milli == 0)
		return false;
	done = eta->samples[eta->count - 1].done;
	*ret_left_ms = done >= total ? 0 : (total - done) * 1000 * 1000 / rate_milli;
	return true;
}
