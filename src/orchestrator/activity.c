#include "orchestrator/activity.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "core/id.h"
#include "store/queries.h"

struct seen {
	int64_t worker_id;
	enum worker_state state;
};

struct activity {
	struct seen *workers; /* of the last world, by rising id */
	size_t worker_count;
	int64_t upto_us; /* jobs are told until then; 0: nothing was asked yet */
};

struct activity *activity_new(void)
{
	return xcalloc(1, sizeof(struct activity));
}

void activity_free(struct activity *activity)
{
	if (!activity)
		return;
	free(activity->workers);
	free(activity);
}

static int compare_seen(const void *a, const void *b)
{
	int64_t left = ((const struct seen *)a)->worker_id;
	int64_t right = ((const struct seen *)b)->worker_id;

	return (left > right) - (left < right);
}

static void tell_change(int64_t worker_id, enum worker_state from, enum worker_state to)
{
	char id[ID_TEXT_BYTES];
	CLEANUP(cleanup_free)
	char *change = xasprintf("%s → %s", worker_state_name(from), worker_state_name(to));

	(void)id_format(ID_WORKER, worker_id, id);
	if (to == WORKER_ACTIVE && from == WORKER_PROVISIONING) {
		CLEANUP(cleanup_free)
		char *event = xasprintf("Worker became active (status transition: %s)", change);
		log_info(event, F_STR("worker", id));
		return;
	}
	log_info("worker.transition", F_STR("worker", id), F_STR("change", change));
}

void activity_workers(struct activity *activity, const struct fleet_world *world)
{
	struct seen *now = xcalloc(world->worker_count + 1, sizeof(*now));

	for (size_t i = 0; i < world->worker_count; i++) {
		now[i] = (struct seen){world->workers[i].id, world->workers[i].state};
		const struct seen *before =
			activity->worker_count > 0
				? bsearch(&now[i], activity->workers, activity->worker_count,
					  sizeof(*now), compare_seen)
				: NULL;
		if (before && before->state != now[i].state)
			tell_change(now[i].worker_id, before->state, now[i].state);
	}
	qsort(now, world->worker_count, sizeof(*now), compare_seen);
	free(activity->workers);
	activity->workers = now;
	activity->worker_count = world->worker_count;
}

int activity_jobs(struct activity *activity, struct pg *pg, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	char job[ID_TEXT_BYTES];

	pg_param_i64(&params, activity->upto_us);
	if (pg_run(pg, &query_fleet_activity, &params, &result, err) < 0)
		return -1;
	activity->upto_us = pg_get_i64(result, 0, 0);
	if (pg_get_i64(result, 0, 1) > 0)
		log_info("Job claimed by worker", F_INT("jobs", pg_get_i64(result, 0, 1)),
			 F_STR("job", id_format(ID_JOB, pg_get_i64(result, 0, 2), job)));
	if (pg_get_i64(result, 0, 3) > 0)
		log_info("Job completed successfully", F_INT("jobs", pg_get_i64(result, 0, 3)),
			 F_STR("job", id_format(ID_JOB, pg_get_i64(result, 0, 4), job)));
	if (pg_get_i64(result, 0, 5) > 0)
		log_info("Job ended without success", F_INT("jobs", pg_get_i64(result, 0, 5)),
			 F_STR("job", id_format(ID_JOB, pg_get_i64(result, 0, 6), job)));
	return 0;
}
