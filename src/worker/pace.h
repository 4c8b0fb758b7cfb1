/* How fast the worker asks for jobs, and how many ahead of its free slots. Pure: times come in.
 *
 * Polling: soon after a claim that brought something, then ever more rarely, to the maximum.
 * Prefetch: only while jobs are so short that the round trip between two of them would count. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define PACE_POLL_MIN_MS       5
#define PACE_POLL_MAX_MS       1000
#define PACE_CALM_MS	       20
#define PACE_SHORT_JOB_US      200000ULL
#define PACE_PREFETCH_PER_SLOT 4
/* So many jobs must have run before their mean says something. */
#define PACE_SAMPLES_MIN 4

struct pace {
	uint64_t poll_ms;     /* the next wait */
	uint64_t woken_ms;    /* when somebody last said so */
	uint64_t mean_run_us; /* of recent jobs, the last one weighing an eighth */
	uint64_t samples;
};

void pace_init(struct pace *pace);
/* A claim came back with or without jobs. */
void pace_claimed(struct pace *pace, size_t claim_count);
/* Somebody said, at now_ms, that jobs may be waiting. How long to wait before asking, in ms: not at
 * all on an idle grid, where each millisecond counts for the job that came; a random bit while word
 * follows on word, when all workers would ask at the same moments. */
uint64_t pace_woken(struct pace *pace, uint64_t now_ms, uint64_t random);
/* The wait before the next poll, between 3/4 and 5/4 of poll_ms; `random` is any number. */
uint64_t pace_wait_ms(const struct pace *pace, uint64_t random);
void pace_job_ended(struct pace *pace, uint64_t run_us);
/* Prefetched jobs had to wait too long: the mean says nothing about those that run now. */
void pace_stalled(struct pace *pace);
/* Jobs to hold ready beyond the slots. */
size_t pace_prefetch(const struct pace *pace, size_t slots);
