#include <inttypes.h>
#include <stdlib.h>

#include "cloud/hetzner_call.h"
#include "cloud/hetzner_pages.h"
#include "cloud/hetzner_parse.h"

void hetzner_network_list_release(struct hetzner_network_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		hetzner_network_release(&list->items[i]);
	free(list->items);
	*list = (struct hetzner_network_list){0};
}

static int add_network(void *context, const json_t *json, struct error *err)
{
	struct hetzner_network_list *list = context;
	void *items = list->items;
	struct hetzner_network *network =
		hetzner_list_grow(&items, &list->count, sizeof(*list->items));

	list->items = items;
	return hetzner_parse_network(json, network, err);
}

int hetzner_networks_list(struct hetzner *hetzner, const char *name, const char *label_selector,
			  struct hetzner_network_list *ret, struct error *err)
{
	CLEANUP(cleanup_hetzner_network_list) struct hetzner_network_list list = {0};
	CLEANUP(cleanup_hetzner_call) struct hetzner_call call = {0};

	hetzner_call_init(&call, "GET", "/networks");
	if (name != NULL)
		hetzner_call_query(&call, "name", name);
	if (label_selector != NULL)
		hetzner_call_query(&call, "label_selector", label_selector);
	if (hetzner_pages_read(hetzner, &call, "networks", add_network, &list, err) < 0)
		return -1;
	*ret = list;
	list = (struct hetzner_network_list){0};
	return 0;
}

int hetzner_network_get(struct hetzner *hetzner, int64_t id, struct hetzner_network_list *ret,
			struct error *err)
{
	CLEANUP(cleanup_hetzner_network_list) struct hetzner_network_list list = {0};
	CLEANUP(cleanup_hetzner_call) struct hetzner_call call = {0};

	hetzner_call_init(&call, "GET", "/networks/%" PRId64, id);
	if (hetzner_perform_one(hetzner, &call, err) < 0)
		return -1;
	if (add_network(&list, json_object_get(call.reply, "network"), err) < 0)
		return hetzner_fail(hetzner, HETZNER_UNREACHABLE);
	*ret = list;
	list = (struct hetzner_network_list){0};
	return 0;
}

int hetzner_network_create(struct hetzner *hetzner, const char *name, const char *ip_range,
			   const struct hetzner_labels *labels, int64_t *ret_id, struct error *err)
{
	CLEANUP(cleanup_hetzner_call) struct hetzner_call call = {0};

	hetzner_call_init(&call, "POST", "/networks");
	json_t *body = json_object();
	hetzner_call_text(&call, body, "name", name);
	hetzner_call_text(&call, body, "ip_range", ip_range);
	hetzner_call_labels(&call, body, labels);
	hetzner_call_body(&call, body);
	return hetzner_perform_create(hetzner, &call, "network", ret_id, err);
}

int hetzner_network_set_labels(struct hetzner *hetzner, int64_t id,
			       const struct hetzner_labels *labels, struct error *err)
{
	CLEANUP(cleanup_hetzner_call) struct hetzner_call call = {0};

	hetzner_call_init(&call, "PUT", "/networks/%" PRId64, id);
	json_t *body = json_object();
	hetzner_call_labels(&call, body, labels);
	hetzner_call_body(&call, body);
	return hetzner_perform_one(hetzner, &call, err);
}

int hetzner_network_delete(struct hetzner *hetzner, int64_t id, struct error *err)
{
	CLEANUP(cleanup_hetzner_call) struct hetzner_call call = {0};

	hetzner_call_init(&call, "DELETE", "/networks/%" PRId64, id);
	return hetzner_perform_absent_is_fine(hetzner, &call, err);
}

/* A text of an action's body; one without a name ends them. */
struct text {
	const char *name;
	const char *value;
};

/* One of a network's actions. */
static int act(struct hetzner *hetzner, int64_t id, const char *action, const struct text *texts,
	       struct hetzner_actions *ret, struct error *err)
{
	CLEANUP(cleanup_hetzner_call) struct hetzner_call call = {0};
	json_t *body = json_object();

	hetzner_call_init(&call, "POST", "/networks/%" PRId64 "/actions/%s", id, action);
	for (; texts->name != NULL; texts++)
		hetzner_call_text(&call, body, texts->name, texts->value);
	hetzner_call_body(&call, body);
	return hetzner_perform_action(hetzner, &call, ret, err);
}

int hetzner_network_add_subnet(struct hetzner *hetzner, int64_t network_id, const char *ip_range,
			       const char *network_zone, struct hetzner_actions *ret,
			       struct error *err)
{
	const struct text texts[] = {{"type", "cloud"},
				     {"ip_range", ip_range},
				     {"network_zone", network_zone},
				     {NULL, NULL}};

	return act(hetzner, network_id, "add_subnet", texts, ret, err);
}

int hetzner_network_delete_subnet(struct hetzner *hetzner, int64_t network_id, const char *ip_range,
				  struct hetzner_actions *ret, struct error *err)
{
	const struct text texts[] = {{"ip_range", ip_range}, {NULL, NULL}};

	return act(hetzner, network_id, "delete_subnet", texts, ret, err);
}

int hetzner_network_add_route(struct hetzner *hetzner, int64_t network_id, const char *destination,
			      const char *gateway, struct hetzner_actions *ret, struct error *err)
{
	const struct text texts[] = {
		{"destination", destination}, {"gateway", gateway}, {NULL, NULL}};

	return act(hetzner, network_id, "add_route", texts, ret, err);
}

int hetzner_network_delete_route(struct hetzner *hetzner, int64_t network_id,
				 const char *destination, const char *gateway,
				 struct hetzner_actions *ret, struct error *err)
{
	const struct text texts[] = {
		{"destination", destination}, {"gateway", gateway}, {NULL, NULL}};

	return act(hetzner, network_id, "delete_route", texts, ret, err);
}
