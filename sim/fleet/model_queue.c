#include "fleet/model_queue.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/cleanup.h"

#define RETRY_US  INT64_C(1000000) /* and twice that after each further loss */
#define SHARED_US INT64_C(5000000) /* the age of a lease that is given to others: a plant */

void model_queue_release(struct model_queue *queue)
{
	free(queue->jobs);
	free(queue->batches);
	*queue = (struct model_queue){0};
}

size_t model_queue_add_batch(struct model_queue *queue, uint64_t limit)
{
	if (queue->batch_count == queue->batch_capacity) {
		queue->batch_capacity = queue->batch_capacity == 0 ? 8 : queue->batch_capacity * 2;
		queue->batches = xreallocarray(queue->batches, queue->batch_capacity,
					       sizeof(*queue->batches));
	}
	queue->batches[queue->batch_count] = (struct model_batch){.limit = limit};
	return ++queue->batch_count;
}

static struct model_batch *batch_of(const struct model_queue *queue, const struct model_job *job)
{
	return job->batch == 0 ? NULL : &queue->batches[job->batch - 1];
}

static bool is_inside(enum model_place place)
{
	return place == MODEL_READY || place == MODEL_LEASED;
}

static void move(struct model_queue *queue, struct model_job *job, enum model_place place)
{
	struct model_batch *batch = batch_of(queue, job);
	if (batch != NULL) {
		batch->inside -= is_inside(job->place);
		batch->inside += is_inside(place);
	}
	job->place = place;
	queue->moves++;
}

/* As many parked jobs become ready as there is room for. */
static bool top_up(struct model_queue *queue, size_t batch)
{
	bool has_moved = false;
	for (size_t i = queue->jobs_ended; i < queue->job_count; i++) {
		struct model_job *job = &queue->jobs[i];
		if (job->batch != batch || job->place != MODEL_PARKED)
			continue;
		if (queue->batches[batch - 1].inside >= queue->batches[batch - 1].limit)
			break;
		move(queue, job, MODEL_READY);
		has_moved = true;
	}
	return has_moved;
}

/* It may run: at once, or when its batch has room. */
static void enter(struct model_queue *queue, struct model_job *job)
{
	const struct model_batch *batch = batch_of(queue, job);
	bool is_full = batch != NULL && batch->inside >= batch->limit;
	move(queue, job, is_full ? MODEL_PARKED : MODEL_READY);
}

size_t model_queue_submit(struct model_queue *queue, const struct model_job *job)
{
	if (queue->job_count == queue->job_capacity) {
		queue->job_capacity = queue->job_capacity == 0 ? 64 : queue->job_capacity * 2;
		queue->jobs = xreallocarray(queue->jobs, queue->job_capacity, sizeof(*queue->jobs));
	}
	struct model_job *added = &queue->jobs[queue->job_count];
	*added = (struct model_job){
		.cpu_millis = job->cpu_millis,
		.memory_bytes = job->memory_bytes,
		.duration_us = job->duration_us,
		.submitted_us = job->submitted_us,
		.batch = job->batch,
		.attempt = 1,
	};
	enter(queue, added);
	return queue->job_count++;
}

bool model_queue_claim(struct model_queue *queue, int64_t worker_id, int64_t now_us,
		       struct model_lease *ret)
{
	for (size_t i = queue->jobs_ended; i < queue->job_count; i++) {
		struct model_job *job = &queue->jobs[i];
		bool is_shared = queue->plant == PLANT_SHARES_LEASES &&
				 job->place == MODEL_LEASED && job->worker_id != worker_id &&
				 now_us - job->claimed_us > SHARED_US;
		if (job->place != MODEL_READY && !is_shared)
			continue;
		if (!is_shared) {
			job->worker_id = worker_id;
			job->token = ++queue->last_token;
			job->claimed_us = now_us;
			move(queue, job, MODEL_LEASED);
		}
		*ret = (struct model_lease){.job = i, .attempt = job->attempt, .token = job->token};
		return true;
	}
	return false;
}

bool model_queue_holds(const struct model_queue *queue, int64_t worker_id,
		       const struct model_lease *lease)
{
	const struct model_job *job = &queue->jobs[lease->job];
	return job->place == MODEL_LEASED && job->attempt == lease->attempt &&
	       job->token == lease->token &&
	       (job->worker_id == worker_id || queue->plant == PLANT_SHARES_LEASES);
}

static void end_lease(struct model_queue *queue, struct model_job *job, enum model_place place)
{
	CHECK(job->place == MODEL_LEASED);
	job->worker_id = 0;
	job->token = 0;
	move(queue, job, place);
}

void model_queue_complete(struct model_queue *queue, size_t place, bool is_cancelled)
{
	struct model_job *job = &queue->jobs[place];
	job->done_worker_id = job->worker_id;
	job->done_token = job->token;
	job->results++;
	end_lease(queue, job, is_cancelled ? MODEL_CANCELLED : MODEL_DONE);
	if (job->batch != 0)
		(void)top_up(queue, job->batch);
}

void model_queue_give_back(struct model_queue *queue, size_t place)
{
	struct model_job *job = &queue->jobs[place];
	job->results += job->is_unwanted;
	end_lease(queue, job, job->is_unwanted ? MODEL_CANCELLED : MODEL_READY);
	if (job->batch != 0)
		(void)top_up(queue, job->batch);
}

int model_queue_cancel(struct model_queue *queue, size_t place)
{
	struct model_job *job = &queue->jobs[place];
	if (job->place >= MODEL_DONE)
		return 3;
	if (job->place == MODEL_LEASED) {
		job->is_unwanted = true;
		return 2;
	}
	job->results++;
	move(queue, job, MODEL_CANCELLED);
	if (job->batch != 0)
		(void)top_up(queue, job->batch);
	return 1;
}

void model_queue_lose(struct model_queue *queue, size_t place, int64_t now_us)
{
	struct model_job *job = &queue->jobs[place];
	uint32_t budget = queue->plant == PLANT_NO_BUDGET ? 1 : MODEL_LOSSES_MAX;
	job->attempt++;
	if (++job->losses > budget) {
		job->results++;
		end_lease(queue, job, MODEL_LOST);
	} else if (job->is_unwanted) {
		job->losses--;
		job->results++;
		end_lease(queue, job, MODEL_CANCELLED);
	} else if (queue->plant == PLANT_DROPS_JOBS) {
		end_lease(queue, job, MODEL_NOWHERE);
	} else {
		job->run_at_us = now_us + (RETRY_US << (job->losses - 1));
		end_lease(queue, job, MODEL_DELAYED);
	}
	if (job->batch != 0)
		(void)top_up(queue, job->batch);
}

bool model_queue_move_due(struct model_queue *queue, int64_t now_us)
{
	bool has_moved = false;
	while (queue->jobs_ended < queue->job_count &&
	       queue->jobs[queue->jobs_ended].place >= MODEL_DONE)
		queue->jobs_ended++;
	for (size_t i = queue->jobs_ended; i < queue->job_count; i++) {
		struct model_job *job = &queue->jobs[i];
		if (job->place != MODEL_DELAYED || job->run_at_us > now_us ||
		    queue->plant == PLANT_OVERSLEEPS)
			continue;
		bool is_free = job->batch == 0 || queue->plant == PLANT_NO_GATE;
		move(queue, job, is_free ? MODEL_READY : MODEL_PARKED);
		has_moved = true;
	}
	for (size_t i = 0; i < queue->batch_count; i++)
		has_moved = top_up(queue, i + 1) || has_moved;
	return has_moved;
}

bool model_queue_has_work(const struct model_queue *queue)
{
	for (size_t i = queue->jobs_ended; i < queue->job_count; i++) {
		if (queue->jobs[i].place < MODEL_DONE)
			return true;
	}
	return false;
}
