#include "worker/roster.h"

#include <stdlib.h>

#include "base/cleanup.h"

void roster_init(struct roster *roster, size_t slots)
{
	*roster = (struct roster){.slots = slots};
}

void roster_release(struct roster *roster)
{
	for (size_t i = 0; i < roster->count; i++)
		run_free(roster->runs[i]);
	free(roster->runs);
	*roster = (struct roster){0};
}

void roster_add(struct roster *roster, struct run *run)
{
	if (roster->count == roster->capacity) {
		roster->capacity = roster->capacity ? roster->capacity * 2 : 16;
		roster->runs = xreallocarray(roster->runs, roster->capacity, sizeof(struct run *));
	}
	roster->runs[roster->count++] = run;
}

void roster_sweep(struct roster *roster)
{
	size_t kept = 0;

	for (size_t i = 0; i < roster->count; i++) {
		if (run_state(roster->runs[i]) == RUN_OVER)
			run_free(roster->runs[i]);
		else
			roster->runs[kept++] = roster->runs[i];
	}
	roster->count = kept;
}

/* Not thrown away: the same attempt may have been given back and claimed anew. */
static bool is_ours(const struct run *run)
{
	return run_state(run) != RUN_DISCARDED && run_state(run) != RUN_OVER;
}

struct run *roster_find(const struct roster *roster, int64_t job_id, int32_t attempt)
{
	for (size_t i = 0; i < roster->count; i++) {
		struct run *run = roster->runs[i];

		if (is_ours(run) && run_lease(run)->job_id == job_id &&
		    run_lease(run)->attempt == attempt)
			return run;
	}
	return NULL;
}

size_t roster_count(const struct roster *roster, enum run_state state)
{
	size_t count = 0;

	for (size_t i = 0; i < roster->count; i++) {
		if (run_state(roster->runs[i]) == state)
			count++;
	}
	return count;
}

size_t roster_held(const struct roster *roster)
{
	size_t count = 0;

	for (size_t i = 0; i < roster->count; i++) {
		if (run_state(roster->runs[i]) == RUN_WAITING ||
		    run_slot(roster->runs[i]) != RUN_NO_SLOT)
			count++;
	}
	return count;
}

void roster_start_waiting(struct roster *roster)
{
	CLEANUP(cleanup_free) bool *busy = xcalloc(roster->slots, sizeof(*busy));
	size_t slot = 0;

	for (size_t i = 0; i < roster->count; i++) {
		if (run_slot(roster->runs[i]) != RUN_NO_SLOT)
			busy[run_slot(roster->runs[i])] = true;
	}
	for (size_t i = 0; i < roster->count; i++) {
		if (run_state(roster->runs[i]) != RUN_WAITING)
			continue;
		while (slot < roster->slots && busy[slot])
			slot++;
		if (slot == roster->slots)
			return;
		run_start(roster->runs[i], slot++);
	}
}

struct lease_id *roster_leases(const struct roster *roster, size_t *ret_count)
{
	struct lease_id *leases = xcalloc(roster->count + 1, sizeof(*leases));
	size_t count = 0;

	for (size_t i = 0; i < roster->count; i++) {
		if (is_ours(roster->runs[i]))
			leases[count++] = *run_lease(roster->runs[i]);
	}
	*ret_count = count;
	return leases;
}
