/* The one source of chance in a simulation: the same seed gives the same run. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct prng {
	uint64_t state;
};
void prng_init(struct prng *prng, uint64_t seed);
uint64_t prng_u64(struct prng *prng);
/* [0, bound); bound > 0 */
uint64_t prng_below(struct prng *prng, uint64_t bound);
/* [low, high] */
int64_t prng_between(struct prng *prng, int64_t low, int64_t high);
/* True in `permille` of 1000 cases. */
bool prng_chance(struct prng *prng, uint64_t permille);
