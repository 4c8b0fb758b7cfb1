/* A model of the queue: jobs and where each stands, attempts and their tokens, batches with a
 * parallel limit. Which worker may do what is the store's to know (fleet/model_store.h). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fleet/plant.h"

#define MODEL_LOSSES_MAX                                                        \
	3 /* attempts lost with their worker, before the next loss ends the job \
	   */

/* The table that a job's row stands in. */
enum model_place {
	MODEL_NOWHERE = 0, /* never */
	MODEL_READY,
	MODEL_DELAYED,
	MODEL_PARKED, /* its batch is at its parallel limit */
	MODEL_LEASED,
	MODEL_DONE,
	MODEL_LOST, /* with its worker, too often */
	MODEL_CANCELLED,
};

/* enum worker_verdict of src/store/worker_link.h */
enum model_verdict { MODEL_RECORDED = 1, MODEL_ALREADY, MODEL_LOST_LEASE };

struct model_lease {
	size_t job;
	uint32_t attempt;
	uint64_t token;
};

struct model_job {
	uint64_t cpu_millis, memory_bytes;
	int64_t duration_us;
	int64_t submitted_us;
	size_t batch; /* 0: none; else its place among the batches, and one */
	enum model_place place;
	uint32_t attempt; /* the number of the next one, or of the one that is leased; from 1 */
	uint32_t losses;
	uint32_t rescues;  /* of the losses, those for the silence of the worker */
	int64_t worker_id; /* of its lease */
	uint64_t token;
	int64_t claimed_us;
	int64_t run_at_us; /* while delayed */
	uint32_t results;  /* recorded; must never exceed 1 */
	bool is_unwanted;  /* somebody has cancelled it while it ran */
	/* Who told its end, and by which lease. */
	int64_t done_worker_id;
	uint64_t done_token;
};

struct model_batch {
	uint64_t limit;	 /* of jobs that are ready or leased */
	uint64_t inside; /* are */
};

struct model_queue {
	enum plant plant;
	struct model_job *jobs;
	size_t job_count, job_capacity, jobs_ended; /* all before have ended */
	struct model_batch *batches;
	size_t batch_count, batch_capacity;
	uint64_t last_token;
	uint64_t moves; /* of jobs from place to place */
};

void model_queue_release(struct model_queue *queue);

/* What model_job.batch says of a new batch. */
size_t model_queue_add_batch(struct model_queue *queue, uint64_t limit);
/* Of *job what a user says counts: sizes, duration, submitted_us, batch. Its place among the jobs.
 */
size_t model_queue_submit(struct model_queue *queue, const struct model_job *job);

/* Leases one job; false: none is ready. */
bool model_queue_claim(struct model_queue *queue, int64_t worker_id, int64_t now_us,
		       struct model_lease *ret);
bool model_queue_holds(const struct model_queue *queue, int64_t worker_id,
		       const struct model_lease *lease);
/* A leased job has ended: well, or because somebody wanted that. */
void model_queue_complete(struct model_queue *queue, size_t job, bool is_cancelled);
/* The same attempt is ready again, unless it is unwanted. */
void model_queue_give_back(struct model_queue *queue, size_t job);
/* A leased job was lost with its worker: it is tried again after a while, or has ended. */
void model_queue_lose(struct model_queue *queue, size_t job, int64_t now_us);
/* 1: it waited, and is cancelled; 2: it runs, and is to be stopped; 3: it had ended. */
int model_queue_cancel(struct model_queue *queue, size_t job);
/* Jobs whose delay is over are ready, and gates are topped up; true: there were some. */
bool model_queue_move_due(struct model_queue *queue, int64_t now_us);
bool model_queue_has_work(const struct model_queue *queue);
