#include "fleet/prng.h"

#include "base/check.h"

void prng_init(struct prng *prng, uint64_t seed)
{
	prng->state = seed * 0x9e3779b97f4a7c15U + 1;
}

/* SplitMix64 (Steele, Lea, Flood 2014). */
uint64_t prng_u64(struct prng *prng)
{
	uint64_t value = prng->state += 0x9e3779b97f4a7c15U;
	value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
	value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
	return value ^ (value >> 31);
}

uint64_t prng_below(struct prng *prng, uint64_t bound)
{
	CHECK(bound > 0);
	return prng_u64(prng) % bound;
}

int64_t prng_between(struct prng *prng, int64_t low, int64_t high)
{
	CHECK(low <= high);
	return low + (int64_t)prng_below(prng, (uint64_t)(high - low) + 1);
}

bool prng_chance(struct prng *prng, uint64_t permille)
{
	return permille > 0 && prng_below(prng, 1000) < permille;
}
