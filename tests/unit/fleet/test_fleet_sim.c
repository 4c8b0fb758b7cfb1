/* The simulation itself: a number of seeds hold, everything goes wrong in them that can, the same
 * seed gives the same run, and each bug that is planted is found by the invariant that it breaks.
 * `rgrid-sim --count N` tries more. */
#include "fleet/sim.h"
#include "tap.h"

#define SEEDS	    100
#define PLANT_SEEDS 200

static void expect_well(const struct sim *sim)
{
	if (sim->broken != INVARIANT_NONE)
		tap_fail(__FILE__, __LINE__, "seed %llu: %s: %s", (unsigned long long)sim->seed,
			 invariant_name(sim->broken), sim->failure);
}

TEST(seeds_hold_and_everything_goes_wrong_in_them)
{
	struct fault_counts struck = {0};
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct sim sim;
		sim_run(&sim, seed, PLANT_NONE, false);
		expect_well(&sim);
		for (enum fault_kind kind = FAULT_NONE + 1; kind < FAULT_KIND_MAX; kind++)
			struck.of[kind] += sim.struck.of[kind];
		sim_release(&sim);
	}
	for (enum fault_kind kind = FAULT_NONE + 1; kind < FAULT_KIND_MAX; kind++) {
		if (struck.of[kind] == 0)
			tap_fail(__FILE__, __LINE__, "%s never strikes", fault_kind_name(kind));
	}
}

/* A worker was drained by hand while the answer to its server's order was lost. */
TEST(seeds_that_have_found_something_hold)
{
	static const uint64_t seeds[] = {4697};

	for (size_t i = 0; i < ARRAY_SIZE(seeds); i++) {
		struct sim sim;
		sim_run(&sim, seeds[i], PLANT_NONE, false);
		expect_well(&sim);
		sim_release(&sim);
	}
}

TEST(the_same_seed_gives_the_same_run)
{
	for (uint64_t seed = 1; seed <= 3; seed++) {
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

/* Other invariants may break first, in other seeds. */
static void expect_found(enum plant plant)
{
	bool is_found = false;
	for (uint64_t seed = 1; seed <= PLANT_SEEDS && !is_found; seed++) {
		struct sim sim;
		sim_run(&sim, seed, plant, false);
		is_found = sim.broken == plant_breaks(plant);
		sim_release(&sim);
	}
	if (!is_found)
		tap_fail(__FILE__, __LINE__, "%s is not found by %s", plant_name(plant),
			 invariant_name(plant_breaks(plant)));
}

#define X(NAME, name, INVARIANT, meaning)       \
	TEST(the_planted_bug_##NAME##_is_found) \
	{                                       \
		expect_found(PLANT_##NAME);     \
	}
#include "fleet/plants.def"
#undef X

TEST(each_invariant_is_broken_by_a_plant)
{
	for (enum invariant broken = INVARIANT_NONE + 1; broken < INVARIANT_MAX; broken++) {
		bool has_plant = false;
		for (enum plant plant = PLANT_NONE + 1; plant < PLANT_MAX; plant++)
			has_plant = has_plant || plant_breaks(plant) == broken;
		if (!has_plant)
			tap_fail(__FILE__, __LINE__, "no bug shows that %s is checked",
				 invariant_name(broken));
	}
}
