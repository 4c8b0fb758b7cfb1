#include "core/fleet_deletions.h"

void fleet_deletions_add(struct fleet_deletions *deletions, uint64_t took_ms)
{
	deletions->took_ms[deletions->next] = took_ms;
	deletions->next = (deletions->next + 1) % FLEET_DELETIONS_MAX;
}

uint64_t fleet_deletions_longest_ms(const struct fleet_deletions *deletions)
{
	uint64_t longest_ms = 0;

	for (size_t i = 0; i < FLEET_DELETIONS_MAX; i++) {
		if (deletions->took_ms[i] > longest_ms)
			longest_ms = deletions->took_ms[i];
	}
	return longest_ms;
}
