/* Leases and what may be done with them, and the limits of batches. */
#include "core/limits.h"
#include "fleet/conformance_script.h"

static struct conformance_job look_at(const struct script *self, int64_t job)
{
	struct conformance_job ret = {0};
	self->side->look_at(self->side->context, job, &ret);
	return ret;
}

static int claim(const struct script *self, const struct script_worker *worker, size_t want,
		 struct conformance_lease *ret)
{
	return self->side->claim(self->side->context, worker->id, worker->incarnation, want, ret);
}

static int complete(const struct script *self, const struct script_worker *worker,
		    const struct conformance_lease *lease)
{
	return self->side->complete(self->side->context, worker->id, worker->incarnation, lease,
				    false);
}

static bool beat(const struct script *self, const struct script_worker *worker,
		 const struct conformance_lease *lease, enum model_wish *ret_wish)
{
	bool drain = false;
	return self->side->beat(self->side->context, worker->id, worker->incarnation, lease,
				lease == NULL ? 0 : 1, ret_wish, &drain);
}

static void pass(const struct script *self, int64_t seconds)
{
	self->side->pass(self->side->context, seconds * CONFORMANCE_SECOND_US);
}

static int upkeep(struct script *self, struct fleet_upkeep *ret)
{
	OK(self, self->store->upkeep(self->store->context, ret, self->err));
	return 0;
}

/* What other parts have left behind is done. */
static int clear(struct script *self, const struct script_worker *worker)
{
	struct conformance_lease lease = {0};
	struct fleet_upkeep done = {0};
	pass(self, 10);
	OK(self, upkeep(self, &done));
	while (claim(self, worker, 1, &lease) == 1)
		PROMISE(self, complete(self, worker, &lease) == MODEL_RECORDED);
	for (int i = 0; i < 2; i++) /* busy may tell of what the same call has settled */
		OK(self, upkeep(self, &done));
	PROMISE(self, !done.busy);
	return 0;
}

/* Only who holds the lease completes it, and only once. */
static int check_fencing(struct script *self, const struct script_worker *worker,
			 const struct script_worker *other)
{
	int64_t job = self->side->submit(self->side->context, 0);
	struct conformance_lease lease = {0};
	PROMISE(self, look_at(self, job).place == MODEL_READY);
	PROMISE(self, claim(self, worker, 2, &lease) == 1 && lease.job == job);
	PROMISE(self, lease.attempt == 1);
	const struct conformance_lease stale[] = {
		{.job = job, .attempt = 1, .token = lease.token + 1},
		{.job = job, .attempt = 2, .token = lease.token}};
	for (int i = 0; i < 2; i++)
		PROMISE(self, complete(self, worker, &stale[i]) == MODEL_LOST_LEASE);
	PROMISE(self, complete(self, other, &lease) == MODEL_LOST_LEASE);
	const struct script_worker earlier = {.id = worker->id,
					      .incarnation = worker->incarnation - 1};
	PROMISE(self, complete(self, &earlier, &lease) == CONFORMANCE_REFUSED);
	PROMISE(self, claim(self, &earlier, 1, &lease) < 0);
	PROMISE(self, look_at(self, job).place == MODEL_LEASED);
	PROMISE(self, complete(self, worker, &lease) == MODEL_RECORDED);
	PROMISE(self, complete(self, worker, &lease) == MODEL_ALREADY);
	PROMISE(self, complete(self, other, &lease) == MODEL_LOST_LEASE);
	PROMISE(self, complete(self, worker, &stale[0]) == MODEL_LOST_LEASE);
	PROMISE(self, look_at(self, job).place == MODEL_DONE);
	PROMISE(self, look_at(self, job).results == 1 && look_at(self, job).losses == 0);
	return 0;
}

/* What is given back, by a worker that did not start it or does not name it, is the same attempt
 * under another token. */
static int check_given_back(struct script *self, const struct script_worker *worker)
{
	const struct conformance *side = self->side;
	int64_t job = side->submit(side->context, 0);
	struct conformance_lease first = {0};
	struct conformance_lease second = {0};
	enum model_wish wish = 0;
	PROMISE(self, claim(self, worker, 1, &first) == 1);
	PROMISE(self, side->give_back(side->context, worker->id, worker->incarnation, &first));
	PROMISE(self, look_at(self, job).place == MODEL_READY && look_at(self, job).attempt == 1);
	PROMISE(self, claim(self, worker, 1, &second) == 1 && second.attempt == 1);
	PROMISE(self, second.token != first.token);
	/* Too late: the lease is another one by now. */
	PROMISE(self, side->give_back(side->context, worker->id, worker->incarnation, &first));
	PROMISE(self, complete(self, worker, &first) == MODEL_LOST_LEASE);
	PROMISE(self, look_at(self, job).place == MODEL_LEASED);

	PROMISE(self, beat(self, worker, NULL, NULL)); /* young */
	PROMISE(self, look_at(self, job).place == MODEL_LEASED);
	pass(self, 16);
	PROMISE(self, beat(self, worker, &second, &wish) && wish == MODEL_GO_ON);
	PROMISE(self, look_at(self, job).place == MODEL_LEASED);
	PROMISE(self, beat(self, worker, NULL, NULL));
	PROMISE(self, look_at(self, job).place == MODEL_READY && look_at(self, job).attempt == 1);
	PROMISE(self, beat(self, worker, &second, &wish) && wish == MODEL_STOP);
	PROMISE(self, complete(self, worker, &second) == MODEL_LOST_LEASE);
	PROMISE(self, look_at(self, job).losses == 0);
	return clear(self, worker);
}

static uint64_t parked(struct script *self)
{
	return script_look(self) < 0 ? UINT64_MAX : self->world.parked_count;
}

/* Of a batch no more jobs are ready or leased than its limit, however they end. */
static int check_batch(struct script *self, struct script_worker *worker)
{
	const struct conformance *side = self->side;
	int64_t batch = side->add_batch(side->context, 2);
	int64_t first = side->submit(side->context, batch);
	struct conformance_lease leases[2] = {0};
	struct fleet_upkeep done = {0};
	for (int i = 0; i < 6; i++)
		(void)side->submit(side->context, batch);
	PROMISE(self, parked(self) == 5);
	PROMISE(self, side->cancel(side->context, first) == 1); /* promotes */
	PROMISE(self, parked(self) == 4);
	PROMISE(self, claim(self, worker, 2, leases) == 2);
	PROMISE(self, parked(self) == 4);
	PROMISE(self, complete(self, worker, &leases[0]) == MODEL_RECORDED); /* promotes */
	PROMISE(self, parked(self) == 3);
	PROMISE(self, side->give_back(side->context, worker->id, worker->incarnation, &leases[1]));
	PROMISE(self, parked(self) == 3); /* it keeps its place */
	PROMISE(self, claim(self, worker, 2, leases) == 2);
	/* The earlier incarnation has lost both: others have their places, and they come back
	 * behind those. */
	PROMISE(self, side->join(side->context, worker->id, &worker->incarnation));
	PROMISE(self, parked(self) == 1 && self->world.delayed_count == 2);
	PROMISE(self, look_at(self, leases[0].job).place == MODEL_DELAYED);
	pass(self, 10);
	OK(self, upkeep(self, &done));
	PROMISE(self, parked(self) == 3 && self->world.delayed_count == 0);
	PROMISE(self, look_at(self, leases[0].job).place == MODEL_PARKED);
	OK(self, clear(self, worker));
	PROMISE(self, look_at(self, leases[0].job).losses == 1);
	PROMISE(self, look_at(self, leases[0].job).place == MODEL_DONE);
	return 0;
}

/* Whether the job has ended once, as cancelled. */
static bool is_cancelled(const struct script *self, int64_t job)
{
	struct conformance_job now = look_at(self, job);
	return now.place == MODEL_CANCELLED && now.results == 1 && now.losses == 0;
}

/* A running job that somebody cancels: its worker hears so, and whatever comes first counts. */
static int check_cancel(struct script *self, struct script_worker *worker)
{
	const struct conformance *side = self->side;
	struct conformance_lease leases[4] = {0};
	enum model_wish wish = 0;
	int64_t job = side->submit(side->context, 0);
	PROMISE(self, side->cancel(side->context, job) == 1 && is_cancelled(self, job));
	PROMISE(self, side->cancel(side->context, job) == 3);
	for (int i = 0; i < 4; i++)
		(void)side->submit(side->context, 0);
	PROMISE(self, claim(self, worker, 4, leases) == 4);
	for (int i = 0; i < 4; i++) {
		PROMISE(self, side->cancel(side->context, leases[i].job) == 2);
		PROMISE(self, beat(self, worker, &leases[i], &wish) && wish == MODEL_CANCEL);
	}
	PROMISE(self, side->complete(side->context, worker->id, worker->incarnation, &leases[0],
				     true) == MODEL_RECORDED);
	PROMISE(self, side->complete(side->context, worker->id, worker->incarnation, &leases[0],
				     true) == MODEL_ALREADY);
	PROMISE(self, is_cancelled(self, leases[0].job));
	PROMISE(self, complete(self, worker, &leases[1]) == MODEL_RECORDED);
	PROMISE(self, look_at(self, leases[1].job).place == MODEL_DONE);
	PROMISE(self, side->give_back(side->context, worker->id, worker->incarnation, &leases[2]));
	PROMISE(self, is_cancelled(self, leases[2].job));
	PROMISE(self, side->join(side->context, worker->id, &worker->incarnation));
	PROMISE(self, is_cancelled(self, leases[3].job)); /* lost, and not tried again */
	return clear(self, worker);
}

int conformance_check_queue(struct script *self)
{
	struct script_worker worker = {0};
	struct script_worker other = {0};
	OK(self, script_hire(self, &worker));
	OK(self, script_hire(self, &other));
	OK(self, clear(self, &worker));
	OK(self, check_fencing(self, &worker, &other));
	OK(self, check_given_back(self, &worker));
	OK(self, check_batch(self, &worker));
	OK(self, check_cancel(self, &worker));
	OK(self, script_dismiss(self, &worker));
	return script_dismiss(self, &other);
}

/* Silence: a worker that does not beat for 30 s is given up, and its jobs are tried again. */

static int check_rescue(struct script *self, struct script_worker *worker)
{
	const struct conformance *side = self->side;
	int64_t job = side->submit(side->context, 0);
	struct conformance_lease lease = {0};
	struct fleet_upkeep done = {0};
	enum model_wish wish = 0;
	PROMISE(self, claim(self, worker, 1, &lease) == 1 && lease.job == job);
	PROMISE(self, beat(self, worker, &lease, &wish));
	pass(self, 28);
	OK(self, upkeep(self, &done));
	PROMISE(self, done.rescued_count == 0 && look_at(self, job).place == MODEL_LEASED);
	pass(self, 3);
	OK(self, upkeep(self, &done));
	PROMISE(self, done.rescued_count == 1 && look_at(self, job).place == MODEL_DELAYED);
	/* It comes back too late. */
	PROMISE(self, complete(self, worker, &lease) == CONFORMANCE_REFUSED);
	PROMISE(self, !beat(self, worker, &lease, &wish));
	PROMISE(self, side->join(side->context, worker->id, &worker->incarnation));
	PROMISE(self, complete(self, worker, &lease) == MODEL_LOST_LEASE);
	PROMISE(self, look_at(self, job).place == MODEL_DELAYED && look_at(self, job).losses == 1);

	OK(self, upkeep(self, &done));
	PROMISE(self, !done.woken && done.busy);
	pass(self, 2); /* 1 s, give or take a half */
	OK(self, upkeep(self, &done));
	PROMISE(self, done.woken && look_at(self, job).place == MODEL_READY);
	PROMISE(self, claim(self, worker, 1, &lease) == 1 && lease.attempt == 2);
	PROMISE(self, complete(self, worker, &lease) == MODEL_RECORDED);
	return 0;
}

/* The fourth loss is the last. */
static int check_budget(struct script *self, struct script_worker *worker)
{
	const struct conformance *side = self->side;
	int64_t job = side->submit(side->context, 0);
	struct conformance_lease lease = {0};
	struct fleet_upkeep done = {0};
	for (int attempt = 1; attempt <= LOST_BUDGET_DEFAULT + 1; attempt++) {
		PROMISE(self, look_at(self, job).place == MODEL_READY);
		PROMISE(self, claim(self, worker, 1, &lease) == 1 && lease.attempt == attempt);
		PROMISE(self, side->join(side->context, worker->id, &worker->incarnation));
		pass(self, 10);
		OK(self, upkeep(self, &done));
	}
	PROMISE(self, look_at(self, job).place == MODEL_LOST);
	PROMISE(self, look_at(self, job).results == 1);
	PROMISE(self, look_at(self, job).losses == LOST_BUDGET_DEFAULT + 1);
	return 0;
}

/* Nobody could be heard of while the database was away. */
static int check_restart(struct script *self, struct script_worker *worker)
{
	const struct conformance *side = self->side;
	int64_t job = side->submit(side->context, 0);
	struct conformance_lease lease = {0};
	struct fleet_upkeep done = {0};
	PROMISE(self, claim(self, worker, 1, &lease) == 1);
	pass(self, 40);
	side->restart(side->context);
	OK(self, upkeep(self, &done));
	PROMISE(self, done.rescued_count == 0 && look_at(self, job).place == MODEL_LEASED);
	pass(self, 31);
	OK(self, upkeep(self, &done));
	PROMISE(self, done.rescued_count == 1);
	PROMISE(self, side->join(side->context, worker->id, &worker->incarnation));
	return clear(self, worker);
}

/* When most of those that have leases are silent, it is rather the database: they get as long
 * again. */
static int check_majority(struct script *self, struct script_worker workers[3])
{
	struct conformance_lease leases[3] = {0};
	struct fleet_upkeep done = {0};
	enum model_wish wish = 0;
	for (int i = 0; i < 3; i++) {
		PROMISE(self, self->side->join(self->side->context, workers[i].id,
					       &workers[i].incarnation));
		(void)self->side->submit(self->side->context, 0);
		PROMISE(self, claim(self, &workers[i], 1, &leases[i]) == 1);
	}
	for (int seconds = 0; seconds < 60; seconds += 20) {
		OK(self, upkeep(self, &done));
		PROMISE(self, done.rescued_count == 0);
		pass(self, 20);
		PROMISE(self, beat(self, &workers[0], &leases[0], &wish) && wish == MODEL_GO_ON);
	}
	pass(self, 1);
	OK(self, upkeep(self, &done));
	PROMISE(self, done.rescued_count == 2);
	PROMISE(self, complete(self, &workers[0], &leases[0]) == MODEL_RECORDED);
	PROMISE(self, complete(self, &workers[1], &leases[1]) == CONFORMANCE_REFUSED);
	return clear(self, &workers[0]);
}

int conformance_check_silence(struct script *self)
{
	struct script_worker workers[3] = {0};
	for (int i = 0; i < 3; i++)
		OK(self, script_hire(self, &workers[i]));
	self->side->restart(self->side->context);
	pass(self, 31);
	OK(self, clear(self, &workers[0]));
	PROMISE(self,
		self->side->join(self->side->context, workers[0].id, &workers[0].incarnation));
	OK(self, check_rescue(self, &workers[0]));
	OK(self, check_budget(self, &workers[0]));
	OK(self, check_restart(self, &workers[0]));
	OK(self, check_majority(self, workers));
	for (int i = 0; i < 3; i++)
		OK(self, script_dismiss(self, &workers[i]));
	return 0;
}
