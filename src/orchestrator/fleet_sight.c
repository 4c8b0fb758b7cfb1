#include "orchestrator/fleet_sight.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/cleanup.h"

/* After a longer gap between looks, silence is measured anew: nobody could have spoken. */
#define OBSERVE_GAP_US INT64_C(5000000)

void fleet_sight_init(struct fleet_sight *sight)
{
	*sight = (struct fleet_sight){0};
	fleet_world_init(&sight->listing);
}

void fleet_sight_release(struct fleet_sight *sight)
{
	fleet_world_release(&sight->listing);
	free(sight->absences);
	fleet_sight_init(sight);
}

void fleet_sight_clear(struct fleet_sight *sight)
{
	fleet_sight_release(sight);
}

int fleet_sight_list(struct fleet_sight *sight, const struct fleet_cloud *cloud, int64_t now_us,
		     struct error *err)
{
	struct fleet_world listing;
	fleet_world_init(&listing);
	if (cloud->list(cloud->context, &listing, err) < 0) {
		fleet_world_release(&listing);
		sight->list_failed_us = now_us;
		return error_wrap(err, "cannot list the servers");
	}
	fleet_world_release(&sight->listing);
	sight->listing = listing;
	sight->listed_us = now_us;
	sight->is_new = true;
	return 0;
}

void fleet_sight_used(struct fleet_sight *sight)
{
	sight->is_new = false;
}

/* Silence and absence count only while we were looking: after an outage of the database, or when
 * its clock jumped or this process stood still, they are measured anew. Every worker seems silent
 * then, though it had no way to speak. */
static void limit_silence(struct fleet_sight *sight, struct fleet_world *world)
{
	int64_t gap_us = world->now_us - sight->observed_us;
	if (sight->observed_us == 0 || gap_us > OBSERVE_GAP_US || gap_us < 0) {
		sight->watching_since_us = world->now_us;
		sight->absence_count = 0;
	}
	sight->observed_us = world->now_us;
	uint64_t watched_ms = (uint64_t)(world->now_us - sight->watching_since_us) / 1000;
	for (size_t i = 0; i < world->worker_count; i++) {
		struct fleet_worker *worker = &world->workers[i];
		if (worker->silent_ms > watched_ms)
			worker->silent_ms = watched_ms;
	}
}

static int compare_ids(const void *a, const void *b)
{
	int64_t one = *(const int64_t *)a;
	int64_t other = *(const int64_t *)b;
	return (one > other) - (one < other);
}

/* worker_id is the first member. */
static const struct fleet_absence *find(const struct fleet_sight *sight, int64_t worker_id)
{
	if (sight->absence_count == 0)
		return NULL;
	return bsearch(&worker_id, sight->absences, sight->absence_count, sizeof(*sight->absences),
		       compare_ids);
}

/* The ids of the listed servers, and of the workers that their labels name, each sorted. */
struct listed {
	int64_t *ids;
	size_t count;
};

static struct listed listed_of(const struct fleet_world *listing, bool labels)
{
	struct listed listed = {.ids = xcalloc(listing->server_count + 1, sizeof(int64_t)),
				.count = listing->server_count};
	for (size_t i = 0; i < listed.count; i++)
		listed.ids[i] = labels ? listing->servers[i].worker_id : listing->servers[i].id;
	qsort(listed.ids, listed.count, sizeof(int64_t), compare_ids);
	return listed;
}

static bool has(const struct listed *listed, int64_t id)
{
	return bsearch(&id, listed->ids, listed->count, sizeof(int64_t), compare_ids) != NULL;
}

static void count_absences(struct fleet_sight *sight, struct fleet_world *world)
{
	struct listed servers = listed_of(&sight->listing, false);
	struct listed labels = listed_of(&sight->listing, true);
	struct fleet_absence *absences = xcalloc(world->worker_count + 1, sizeof(*absences));
	for (size_t i = 0; i < world->worker_count; i++) {
		struct fleet_worker *worker = &world->workers[i];
		const struct fleet_absence *before = find(sight, worker->id);
		bool is_listed = worker->server_id != 0 ? has(&servers, worker->server_id)
							: has(&labels, worker->id);
		struct fleet_absence *absence = &absences[i];
		*absence = (struct fleet_absence){.worker_id = worker->id,
						  .server_id = worker->server_id,
						  .delete_us = worker->delete_us};
		/* Earlier listings say nothing about a server that was recorded or deleted since.
		 */
		if (before != NULL && before->server_id == worker->server_id &&
		    before->delete_us == worker->delete_us) {
			absence->looks = before->looks;
			absence->since_us = before->since_us;
		}
		if (sight->is_new && is_listed)
			absence->looks = 0;
		else if (sight->is_new && worker->created_us <= sight->listed_us &&
			 absence->looks++ == 0)
			absence->since_us = sight->listed_us;
		worker->absent_looks = absence->looks;
		if (absence->looks > 0 && sight->listed_us > absence->since_us)
			worker->absent_ms = (uint64_t)(sight->listed_us - absence->since_us) / 1000;
	}
	qsort(absences, world->worker_count, sizeof(*absences), compare_ids);
	free(sight->absences);
	sight->absences = absences;
	sight->absence_count = world->worker_count;
	free(servers.ids);
	free(labels.ids);
}

void fleet_sight_complete(struct fleet_sight *sight, struct fleet_world *world)
{
	limit_silence(sight, world);
	for (size_t i = 0; i < sight->listing.server_count; i++) {
		struct fleet_server *server = fleet_world_add_server(world);
		CHECK(server != NULL); /* the listing has the same limit */
		*server = sight->listing.servers[i];
	}
	world->network_members = sight->listing.network_members;
	world->listed_us = sight->listed_us;
	world->listing_is_new = sight->is_new;
	if (sight->listed_us != 0)
		count_absences(sight, world);
}

bool fleet_sight_measure_deletion(const struct fleet_sight *sight,
				  const struct fleet_worker *worker, uint64_t *ret_ms)
{
	int64_t gone_us = sight->listed_us - (int64_t)worker->absent_ms * 1000;

	if (worker->delete_us == 0 || worker->absent_looks == 0 || gone_us < worker->delete_us ||
	    worker->delete_us <= sight->watching_since_us ||
	    worker->delete_us <= sight->list_failed_us)
		return false;
	*ret_ms = (uint64_t)(gone_us - worker->delete_us) / 1000;
	return true;
}
