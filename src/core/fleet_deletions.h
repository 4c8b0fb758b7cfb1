/* How long the last deletions of servers took, so that the fleet knows how long before a paid hour
 * it has to begin with one. Only the longest of them counts: one that is late costs an hour. Few
 * are kept, so that a provider's slow day does not outlast it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define FLEET_DELETIONS_MAX 16

/* Zeroed: none was measured. */
struct fleet_deletions {
	uint64_t took_ms[FLEET_DELETIONS_MAX];
	size_t next; /* the place of the next one: of the oldest, once all are taken */
};

void fleet_deletions_add(struct fleet_deletions *deletions, uint64_t took_ms);
/* 0: none was measured. */
uint64_t fleet_deletions_longest_ms(const struct fleet_deletions *deletions);
