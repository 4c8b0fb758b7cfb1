/* What has little more than a name: ssh keys, firewalls, placement groups. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/str.h"
#include "cloud/hetzner_call.h"
#include "cloud/hetzner_pages.h"
#include "cloud/hetzner_parse.h"

void hetzner_named_list_release(struct hetzner_named_list *list)
{
	free(list->items);
	*list = (struct hetzner_named_list){0};
}

const struct hetzner_named *hetzner_named_find(const struct hetzner_named_list *list,
					       const char *name_or_id)
{
	const struct hetzner_named *found = NULL;
	struct error err = {0};
	int64_t id = 0;

	if (parse_i64(name_or_id, 1, INT64_MAX, &id, &err) < 0)
		id = 0;
	for (size_t i = 0; i < list->count; i++) {
		const struct hetzner_named *named = &list->items[i];

		if (str_eq(named->name, name_or_id))
			return named;
		if (id != 0 && named->id == id)
			found = named;
	}
	return found;
}

static int add_named(void *context, const json_t *json, struct error *err)
{
	struct hetzner_named_list *list = context;
	void *items = list->items;
	struct hetzner_named *named = hetzner_list_grow(&items, &list->count, sizeof(*list->items));

	list->items = items;
	return hetzner_parse_named(json, named, err);
}

static int list_named(struct hetzner *hetzner, const char *plural, const char *parameter,
		      const char *value, struct hetzner_named_list *ret, struct error *err)
{
	CLEANUP(cleanup_hetzner_named_list) struct hetzner_named_list list = {0};
	CLEANUP(cleanup_hetzner_call) struct hetzner_call call = {0};

	hetzner_call_init(&call, "GET", "/%s", plural);
	if (value != NULL)
		hetzner_call_query(&call, parameter, value);
	if (hetzner_pages_read(hetzner, &call, plural, add_named, &list, err) < 0)
		return -1;
	*ret = list;
	list = (struct hetzner_named_list){0};
	return 0;
}

/* Takes `body`. The second text may be NULL: there is none. */
static int create_named(struct hetzner *hetzner, const char *plural, const char *singular,
			json_t *body, const char *name, const char *second,
			const char *second_value, const struct hetzner_labels *labels,
			int64_t *ret_id, struct error *err)
{
	CLEANUP(cleanup_hetzner_call) struct hetzner_call call = {0};

	hetzner_call_init(&call, "POST", "/%s", plural);
	hetzner_call_text(&call, body, "name", name);
	if (second != NULL)
		hetzner_call_text(&call, body, second, second_value);
	hetzner_call_labels(&call, body, labels);
	hetzner_call_body(&call, body);
	return hetzner_perform_create(hetzner, &call, singular, ret_id, err);
}

static int delete_named(struct hetzner *hetzner, const char *plural, int64_t id, struct error *err)
{
	CLEANUP(cleanup_hetzner_call) struct hetzner_call call = {0};

	hetzner_call_init(&call, "DELETE", "/%s/%" PRId64, plural, id);
	return hetzner_perform_absent_is_fine(hetzner, &call, err);
}

int hetzner_ssh_keys_list(struct hetzner *hetzner, const char *name, struct hetzner_named_list *ret,
			  struct error *err)
{
	return list_named(hetzner, "ssh_keys", "name", name, ret, err);
}

int hetzner_ssh_key_create(struct hetzner *hetzner, const char *name, const char *public_key,
			   const struct hetzner_labels *labels, int64_t *ret_id, struct error *err)
{
	return create_named(hetzner, "ssh_keys", "ssh_key", json_object(), name, "public_key",
			    public_key, labels, ret_id, err);
}

int hetzner_ssh_key_delete(struct hetzner *hetzner, int64_t id, struct error *err)
{
	return delete_named(hetzner, "ssh_keys", id, err);
}

int hetzner_firewalls_list(struct hetzner *hetzner, const char *name,
			   struct hetzner_named_list *ret, struct error *err)
{
	return list_named(hetzner, "firewalls", "name", name, ret, err);
}

int hetzner_firewall_create(struct hetzner *hetzner, const char *name,
			    const struct hetzner_labels *labels, int64_t *ret_id, struct error *err)
{
	/* Without a rule for what comes in, nothing does. */
	return create_named(hetzner, "firewalls", "firewall", json_pack("{s:[]}", "rules"), name,
			    NULL, NULL, labels, ret_id, err);
}

int hetzner_firewall_delete(struct hetzner *hetzner, int64_t id, struct error *err)
{
	return delete_named(hetzner, "firewalls", id, err);
}

int hetzner_placement_groups_list(struct hetzner *hetzner, const char *label_selector,
				  struct hetzner_named_list *ret, struct error *err)
{
	return list_named(hetzner, "placement_groups", "label_selector", label_selector, ret, err);
}

int hetzner_placement_group_create(struct hetzner *hetzner, const char *name,
				   const struct hetzner_labels *labels, int64_t *ret_id,
				   struct error *err)
{
	return create_named(hetzner, "placement_groups", "placement_group", json_object(), name,
			    "type", "spread", labels, ret_id, err);
}

int hetzner_placement_group_delete(struct hetzner *hetzner, int64_t id, struct error *err)
{
	return delete_named(hetzner, "placement_groups", id, err);
}
