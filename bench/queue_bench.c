/* Measures the queue in the database that RGRID_TEST_CONNINFO names, which must be empty: run it
 *under tests/with-postgres. What it prints, bench/run takes the median of.
 *
 *	queue_bench insert JOBS BATCH WRITERS      jobs/s submitted
 *	queue_bench process JOBS BATCH WORKERS     jobs/s claimed and completed, all queued before
 *	queue_bench flow JOBS BATCH WORKERS        jobs/s submitted, claimed and completed at once
 *	queue_bench claim QUEUED BATCH PERCENTILE  microseconds of one worker's step that completes
 *BATCH jobs and claims as many, with QUEUED jobs waiting
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/str.h"
#include "core/limits.h"
#include "drain.h"
#include "feed.h"
#include "grid.h"

#define FEED_BATCH   1000 /* where the submitting is not what is measured */
#define FEED_WRITERS 2
#define CLAIM_STEPS  1000

struct question {
	uint64_t jobs;
	uint64_t batch;
	uint64_t connections; /* writers or workers */
};

/* `jobs`, rounded up to what two writers can share. */
static int fill(const struct grid *grid, uint64_t *jobs, struct error *err)
{
	const uint64_t unit = FEED_BATCH * FEED_WRITERS;
	struct feed feed = {.grid = grid, .batch = FEED_BATCH, .writers = FEED_WRITERS};
	struct feed_run *run;
	uint64_t elapsed_us;

	*jobs = (*jobs + unit - 1) / unit * unit;
	feed.jobs = *jobs;
	feed_start(&feed, &run);
	if (feed_join(run, &elapsed_us, err) < 0)
		return -1;
	return grid_settle(grid, err);
}

static double rate(uint64_t jobs, uint64_t elapsed_us)
{
	return (double)jobs * 1e6 / (double)elapsed_us;
}

static int measure_insert(const char *conninfo, const struct question *ask, struct error *err)
{
	CLEANUP(cleanup_grid) struct grid grid = {0};
	struct feed feed = {.grid = &grid, .batch = ask->batch, .writers = ask->connections};
	struct feed_run *run;
	uint64_t elapsed_us;

	feed.jobs = ask->jobs / (ask->batch * ask->connections) * ask->batch * ask->connections;
	if (grid_init(&grid, conninfo, 0, err) < 0 || grid_settle(&grid, err) < 0)
		return -1;
	feed_start(&feed, &run);
	if (feed_join(run, &elapsed_us, err) < 0 || grid_expect(&grid, 0, feed.jobs, 0, err) < 0)
		return -1;
	printf("%.0f\n", rate(feed.jobs, elapsed_us));
	return 0;
}

static int measure_process(const char *conninfo, const struct question *ask, struct error *err)
{
	CLEANUP(cleanup_grid) struct grid grid = {0};
	struct drain drain = {.grid = &grid, .jobs = ask->jobs, .batch = ask->batch};
	struct drain_result result;

	if (grid_init(&grid, conninfo, ask->connections, err) < 0 ||
	    fill(&grid, &drain.jobs, err) < 0 || drain_run(&drain, &result, err) < 0 ||
	    grid_expect(&grid, drain.jobs, 0, 0, err) < 0)
		return -1;
	printf("%.0f\n", rate(result.completed, result.elapsed_us));
	return 0;
}

static int measure_flow(const char *conninfo, const struct question *ask, struct error *err)
{
	const uint64_t unit = FEED_BATCH * FEED_WRITERS;
	CLEANUP(cleanup_grid) struct grid grid = {0};
	struct feed feed = {.grid = &grid, .batch = FEED_BATCH, .writers = FEED_WRITERS};
	struct drain drain = {.grid = &grid, .batch = ask->batch};
	struct drain_result result;
	struct feed_run *run;
	uint64_t feed_us;
	uint64_t start_us;
	int drained;

	feed.jobs = drain.jobs = (ask->jobs + unit - 1) / unit * unit;
	if (grid_init(&grid, conninfo, ask->connections, err) < 0 || grid_settle(&grid, err) < 0)
		return -1;
	start_us = clock_boottime_us();
	feed_start(&feed, &run);
	drained = drain_run(&drain, &result, err);
	uint64_t elapsed_us = clock_boottime_us() - start_us;
	if (feed_join(run, &feed_us, err) < 0 || drained < 0 ||
	    grid_expect(&grid, feed.jobs, 0, 0, err) < 0)
		return -1;
	printf("%.0f\n", rate(feed.jobs, elapsed_us));
	return 0;
}

static int compare_u64(const void *left, const void *right)
{
	const uint64_t *a = left;
	const uint64_t *b = right;

	return *a < *b ? -1 : *a > *b;
}

static int measure_claim(const char *conninfo, const struct question *ask, struct error *err)
{
	static uint64_t step_us[CLAIM_STEPS];
	CLEANUP(cleanup_grid) struct grid grid = {0};
	struct drain drain = {.grid = &grid, .batch = ask->batch, .step_us = step_us};
	struct drain_result result;
	uint64_t queued = ask->jobs;
	size_t count;

	if (grid_init(&grid, conninfo, ask->connections, err) < 0 || fill(&grid, &queued, err) < 0)
		return -1;
	/* Only whole steps, and at most half of the queue: it must not run low meanwhile. */
	count = queued / 2 / ask->batch < CLAIM_STEPS ? queued / 2 / ask->batch : CLAIM_STEPS;
	drain.jobs = (count - 1) * ask->batch;
	drain.step_us_max = count;
	if (drain_run(&drain, &result, err) < 0 ||
	    grid_expect(&grid, result.completed, queued - result.completed - result.leased,
			result.leased, err) < 0)
		return -1;
	qsort(step_us, count, sizeof(step_us[0]), compare_u64);
	printf("%" PRIu64 " %" PRIu64 "\n", step_us[count / 2], step_us[count * 99 / 100]);
	return 0;
}

static const struct {
	const char *name;
	int (*measure)(const char *conninfo, const struct question *ask, struct error *err);
	uint64_t connections_max;
} modes[] = {
	{"insert", measure_insert, FEED_WRITERS_MAX},
	{"process", measure_process, GRID_WORKERS_MAX},
	{"flow", measure_flow, GRID_WORKERS_MAX},
	{"claim", measure_claim, 1},
};

static int run(int argc, char **argv, struct error *err)
{
	const char *conninfo = getenv("RGRID_TEST_CONNINFO");
	struct question ask;

	if (conninfo == NULL)
		return error_set(err, ERR_INVALID, "run this under tests/with-postgres");
	if (argc != 5)
		return error_set(
			err, ERR_INVALID,
			"usage: queue_bench insert|process|flow|claim JOBS BATCH CONNECTIONS");
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		if (!str_eq(argv[1], modes[i].name))
			continue;
		if (parse_u64(argv[2], 1, 100000000, &ask.jobs, err) < 0 ||
		    parse_u64(argv[3], 1, LIMIT_STEP_COUNT, &ask.batch, err) < 0 ||
		    parse_u64(argv[4], 1, modes[i].connections_max, &ask.connections, err) < 0)
			return -1;
		return modes[i].measure(conninfo, &ask, err);
	}
	return error_set(err, ERR_INVALID, "there is no measurement \"%s\"", argv[1]);
}

int main(int argc, char **argv)
{
	struct error err;

	if (run(argc, argv, &err) == 0)
		return 0;
	fprintf(stderr, "queue_bench: %s\n", err.msg);
	return 1;
}
