#include "orchestrator/hetzner_groups.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/str.h"
#include "core/label.h"

#define SWEEP_MS       (5ULL * 60 * 1000)
#define SELECTOR_BYTES 256

struct hetzner_groups {
	struct hetzner *hetzner;
	const char *grid_id;
	uint64_t sweep_ms;
	uint64_t swept_ms; /* the last look; 0: none yet */
	char selector[SELECTOR_BYTES];
	int64_t empty[HETZNER_GROUPS_MAX]; /* at the last look */
	size_t empty_count;
};

struct hetzner_groups *hetzner_groups_new(struct hetzner *hetzner, const char *grid_id,
					  uint64_t sweep_ms)
{
	struct hetzner_groups *groups = xcalloc(1, sizeof(*groups));

	groups->hetzner = hetzner;
	groups->grid_id = grid_id;
	groups->sweep_ms = sweep_ms != 0 ? sweep_ms : SWEEP_MS;
	(void)snprintf(groups->selector, sizeof(groups->selector), "%s=%s,%s=%s,%s=%s",
		       LABEL_MANAGED_BY, LABEL_RGRID, LABEL_GRID, grid_id, LABEL_ROLE,
		       LABEL_ROLE_SPREAD);
	return groups;
}

void hetzner_groups_free(struct hetzner_groups *groups)
{
	free(groups);
}

static bool has_label(const struct hetzner_named *group, const char *key, const char *wanted)
{
	const char *value = hetzner_label_get(&group->labels, key);

	return value != NULL && str_eq(value, wanted);
}

/* The selector's word is not enough for what gets deleted. */
static bool is_ours(const struct hetzner_groups *groups, const struct hetzner_named *group)
{
	return has_label(group, LABEL_MANAGED_BY, LABEL_RGRID) &&
	       has_label(group, LABEL_GRID, groups->grid_id) &&
	       has_label(group, LABEL_ROLE, LABEL_ROLE_SPREAD);
}

/* Its id; no name is taken twice, also not by an order whose answer was lost. */
static int make_group(struct hetzner_groups *groups, int64_t *ret_id, struct error *err)
{
	struct hetzner_labels labels = {0};
	char name[64];

	hetzner_label_set(&labels, LABEL_MANAGED_BY, LABEL_RGRID);
	hetzner_label_set(&labels, LABEL_GRID, groups->grid_id);
	hetzner_label_set(&labels, LABEL_ROLE, LABEL_ROLE_SPREAD);
	(void)snprintf(name, sizeof(name), "rgrid-spread-%016" PRIx64, rand_u64());
	if (hetzner_placement_group_create(groups->hetzner, name, &labels, ret_id, err) < 0)
		return error_wrap(err, "a placement group");
	log_info("placement group made", F_STR("name", name), F_INT("id", *ret_id));
	return 0;
}

/* The fullest that has room, so that others run empty; NULL if there is none. */
static struct hetzner_named *find_room(const struct hetzner_groups *groups,
				       const struct hetzner_named_list *list)
{
	struct hetzner_named *best = NULL;

	for (size_t i = 0; i < list->count; i++) {
		struct hetzner_named *group = &list->items[i];

		if (is_ours(groups, group) && group->server_count < HETZNER_GROUP_SERVERS_MAX &&
		    (best == NULL || group->server_count > best->server_count))
			best = group;
	}
	return best;
}

/* It is used now: to be deleted it must be empty at two looks from here on. */
static void forget_empty(struct hetzner_groups *groups, int64_t id)
{
	for (size_t i = 0; i < groups->empty_count; i++) {
		if (groups->empty[i] == id)
			groups->empty[i] = groups->empty[--groups->empty_count];
	}
}

int hetzner_groups_take(struct hetzner_groups *groups, size_t count, int64_t *ret_ids,
			size_t *ret_count, struct error *err)
{
	CLEANUP(cleanup_hetzner_named_list) struct hetzner_named_list list = {0};
	size_t fresh_left = 0; /* places in the group made last */
	int64_t fresh_id = 0;

	*ret_count = 0;
	if (hetzner_placement_groups_list(groups->hetzner, groups->selector, &list, err) < 0)
		return error_wrap(err, "the placement groups");
	while (*ret_count < count) {
		struct hetzner_named *group = find_room(groups, &list);

		if (group != NULL) {
			group->server_count++;
			forget_empty(groups, group->id);
			ret_ids[(*ret_count)++] = group->id;
			continue;
		}
		if (fresh_left == 0) {
			if (make_group(groups, &fresh_id, err) < 0)
				return -1;
			fresh_left = HETZNER_GROUP_SERVERS_MAX;
		}
		fresh_left--;
		ret_ids[(*ret_count)++] = fresh_id;
	}
	return 0;
}

static bool was_empty(const struct hetzner_groups *groups, int64_t id)
{
	for (size_t i = 0; i < groups->empty_count; i++) {
		if (groups->empty[i] == id)
			return true;
	}
	return false;
}

/* What cannot be deleted now is still empty at the next look. */
static void delete_group(struct hetzner_groups *groups, const struct hetzner_named *group)
{
	struct error err = {0};

	if (hetzner_placement_group_delete(groups->hetzner, group->id, &err) < 0)
		log_warning("placement group not deleted", F_STR("name", group->name),
			    F_STR("why", err.msg));
	else
		log_info("placement group deleted: it was empty", F_STR("name", group->name),
			 F_INT("id", group->id));
}

void hetzner_groups_sweep(struct hetzner_groups *groups)
{
	CLEANUP(cleanup_hetzner_named_list) struct hetzner_named_list list = {0};
	int64_t empty[HETZNER_GROUPS_MAX];
	size_t empty_count = 0;
	struct error err = {0};
	uint64_t now_ms = clock_boottime_ms();

	if (groups->swept_ms != 0 && now_ms - groups->swept_ms < groups->sweep_ms)
		return;
	groups->swept_ms = now_ms;
	if (hetzner_placement_groups_list(groups->hetzner, groups->selector, &list, &err) < 0)
		return; /* nothing is known: what was empty counts as before */
	for (size_t i = 0; i < list.count; i++) {
		const struct hetzner_named *group = &list.items[i];

		if (!is_ours(groups, group) || group->server_count > 0)
			continue;
		if (was_empty(groups, group->id))
			delete_group(groups, group);
		if (empty_count < HETZNER_GROUPS_MAX)
			empty[empty_count++] = group->id;
	}
	memcpy(groups->empty, empty, sizeof(*empty) * empty_count);
	groups->empty_count = empty_count;
}
