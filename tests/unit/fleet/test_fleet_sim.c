/* The simulation itself: a number of seeds hold, the same seed gives the same run, and bugs that
 * are planted are found. `rgrid-sim --count N` tries more. */
#include "fleet/sim.h"
#include "tap.h"

#define SEEDS	    100
#define PLANT_SEEDS 200

/* Seeds that have found something once: listings that omit a server again and again, a jump of the
 * clock that made everything look old, a spending limit and hours not booked yet. */
static const uint64_t found[] = {86, 101126, 200285, 300593, 400258, 500091, 202387, 500077};

static void expect_well(uint64_t seed)
{
	struct sim sim;
	sim_run(&sim, seed, PLANT_NONE, false);
	if (sim.has_failed)
		tap_fail(__FILE__, __LINE__, "seed %llu: %s", (unsigned long long)seed,
			 sim.failure);
	sim_release(&sim);
}

TEST(seeds_hold)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		expect_well(seed);
}

TEST(seeds_that_have_found_something_hold)
{
	for (size_t i = 0; i < ARRAY_SIZE(found); i++)
		expect_well(found[i]);
}

TEST(the_same_seed_gives_the_same_run)
{
	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct sim one;
		struct sim other;
		sim_run(&one, seed, PLANT_NONE, false);
		sim_run(&other, seed, PLANT_NONE, false);
		EXPECT(one.events > 1000);
		EXPECT_INT(one.events, other.events);
		EXPECT(one.hash == other.hash);
		sim_release(&other);
		sim_run(&other, seed + 1, PLANT_NONE, false);
		EXPECT(one.hash != other.hash);
		sim_release(&one);
		sim_release(&other);
	}
}

static void expect_found(enum plant plant)
{
	bool is_found = false;
	for (uint64_t seed = 1; seed <= PLANT_SEEDS && !is_found; seed++) {
		struct sim sim;
		sim_run(&sim, seed, plant, false);
		is_found = sim.has_failed;
		sim_release(&sim);
	}
	if (!is_found)
		tap_fail(__FILE__, __LINE__, "%s is not found", plant_name(plant));
}

#define X(NAME, name, meaning)                  \
	TEST(the_planted_bug_##NAME##_is_found) \
	{                                       \
		expect_found(PLANT_##NAME);     \
	}
#include "fleet/plants.def"
#undef X
