/* rgrid-sim: simulated runs of the fleet, one for each seed. */
#include <stdio.h>
#include <stdlib.h>

#include "base/opts.h"
#include "fleet/sim.h"

#define SEEDS_MAX 1000000000

struct call {
	uint64_t seed;
	uint64_t count;
	const char *plant;
	bool is_traced;
};

static const char description[] =
	"Runs real orchestrators against a modelled database, provider and workers, under a "
	"virtual "
	"clock and one seed. Things go wrong for a while, then they stop, and everything has to "
	"end. A broken invariant is printed with its seed, which replays it.";

static void print(const struct sim *sim)
{
	printf("seed %llu: %s%s%s, at %.3f s, event %llu, hash %016llx\n",
	       (unsigned long long)sim->seed,
	       sim->broken == INVARIANT_NONE ? "ok" : invariant_name(sim->broken),
	       sim->broken == INVARIANT_NONE ? "" : ": ", sim->failure,
	       (double)(sim->now_us - SIM_START_US) / 1e6, (unsigned long long)sim->events,
	       (unsigned long long)sim->hash);
	if (sim->broken != INVARIANT_NONE)
		printf("replay: rgrid-sim --seed %llu --trace\n", (unsigned long long)sim->seed);
}

/* What went wrong in all runs together. */
struct coverage {
	uint64_t struck[FAULT_KIND_MAX];
	uint64_t seeds[FAULT_KIND_MAX]; /* in how many runs */
	uint64_t rules[SIM_RULES_MAX];
	uint64_t rule_seeds[SIM_RULES_MAX];
};

static void cover(struct coverage *coverage, const struct sim *sim)
{
	for (enum fault_kind kind = FAULT_NONE + 1; kind < FAULT_KIND_MAX; kind++) {
		coverage->struck[kind] += sim->struck.of[kind];
		coverage->seeds[kind] += sim->struck.of[kind] > 0;
	}
	for (size_t i = 0; i < SIM_RULES_MAX; i++) {
		coverage->rules[i] += sim->rules[i];
		coverage->rule_seeds[i] += sim->rules[i] > 0;
	}
}

static void print_coverage(const struct coverage *coverage)
{
	printf("%-16s %12s %10s\n", "fault", "struck", "in seeds");
	for (enum fault_kind kind = FAULT_NONE + 1; kind < FAULT_KIND_MAX; kind++)
		printf("%-16s %12llu %10llu\n", fault_kind_name(kind),
		       (unsigned long long)coverage->struck[kind],
		       (unsigned long long)coverage->seeds[kind]);
	printf("%-16s %12s %10s\n", "rule", "acted", "in seeds");
	for (size_t i = 0; fleet_rule_text(i) != NULL; i++) {
		size_t place = (size_t)(fleet_rule_text(i)->number - SIM_RULE_FIRST);
		printf("%-16s %12llu %10llu\n", fleet_rule_text(i)->name,
		       (unsigned long long)coverage->rules[place],
		       (unsigned long long)coverage->rule_seeds[place]);
	}
}

/* Until the first that fails. */
static int run(const struct call *call, enum plant plant)
{
	struct coverage coverage = {0};
	uint64_t events = 0;
	for (uint64_t i = 0; i < call->count; i++) {
		struct sim sim;
		sim_run(&sim, call->seed + i, plant, call->is_traced);
		enum invariant broken = sim.broken;
		events += sim.events;
		cover(&coverage, &sim);
		if (broken != INVARIANT_NONE || call->is_traced)
			print(&sim);
		sim_release(&sim);
		if (broken != INVARIANT_NONE)
			return 1;
	}
	if (call->count > 1)
		print_coverage(&coverage);
	printf("%llu seeds from %llu, %llu events: ok\n", (unsigned long long)call->count,
	       (unsigned long long)call->seed, (unsigned long long)events);
	return 0;
}

int main(int argc, const char **argv)
{
	struct call call = {.count = 1};
	const struct opt options[] = {
		OPT_U64('s', "seed", "N", &call.seed, 0, INT64_MAX, "First seed"),
		OPT_U64('n', "count", "N", &call.count, 1, SEEDS_MAX, "How many seeds"),
		OPT_STR(0, "plant", "BUG", &call.plant, "Plant a bug, see sim/fleet/plants.def",
			NULL),
		OPT_FLAG('t', "trace", &call.is_traced, "Print what happens"),
	};
	const struct opt_command command = {.name = "rgrid-sim",
					    .synopsis = "[options]",
					    .summary = "Simulate the fleet",
					    .description = description,
					    .options = options,
					    .option_count = ARRAY_SIZE(options)};
	struct error err = {0};
	const char **positional = NULL;
	int count = 0;
	bool help = false;
	if (opt_parse(&command, argc - 1, argv + 1, &positional, &count, &help, &err) < 0) {
		(void)fprintf(stderr, "rgrid-sim: %s\n", err.msg);
		return 2;
	}
	if (help) {
		CLEANUP(cleanup_buf) struct buf text;
		buf_init(&text, 16 * KIB);
		opt_help(&command, "rgrid-sim", &text);
		(void)fputs(text.data, stdout);
		return 0;
	}
	enum plant plant = call.plant == NULL ? PLANT_NONE : plant_parse(call.plant);
	if (call.plant != NULL && plant == PLANT_NONE) {
		(void)fprintf(stderr, "rgrid-sim: there is no bug \"%s\" to plant\n", call.plant);
		return 2;
	}
	return run(&call, plant);
}
