#include <inttypes.h>
#include <stdlib.h>

#include "cloud/hetzner_call.h"
#include "cloud/hetzner_pages.h"
#include "cloud/hetzner_parse.h"

void hetzner_server_type_list_release(struct hetzner_server_type_list *list)
{
	free(list->items);
	*list = (struct hetzner_server_type_list){0};
}

static int add_server_type(void *context, const json_t *json, struct error *err)
{
	struct hetzner_server_type_list *list = context;
	void *items = list->items;
	struct hetzner_server_type *type =
		hetzner_list_grow(&items, &list->count, sizeof(*list->items));

	list->items = items;
	return hetzner_parse_server_type(json, type, err);
}

int hetzner_server_types_list(struct hetzner *hetzner, struct hetzner_server_type_list *ret,
			      struct error *err)
{
	CLEANUP(cleanup_hetzner_server_type_list) struct hetzner_server_type_list list = {0};
	CLEANUP(cleanup_hetzner_call) struct hetzner_call call = {0};

	hetzner_call_init(&call, "GET", "/server_types");
	if (hetzner_pages_read(hetzner, &call, "server_types", add_server_type, &list, err) < 0)
		return -1;
	*ret = list;
	list = (struct hetzner_server_type_list){0};
	return 0;
}

void hetzner_location_list_release(struct hetzner_location_list *list)
{
	free(list->items);
	*list = (struct hetzner_location_list){0};
}

static int add_location(void *context, const json_t *json, struct error *err)
{
	struct hetzner_location_list *list = context;
	void *items = list->items;
	struct hetzner_location *location =
		hetzner_list_grow(&items, &list->count, sizeof(*list->items));

	list->items = items;
	return hetzner_parse_location(json, location, err);
}

int hetzner_locations_list(struct hetzner *hetzner, struct hetzner_location_list *ret,
			   struct error *err)
{
	CLEANUP(cleanup_hetzner_location_list) struct hetzner_location_list list = {0};
	CLEANUP(cleanup_hetzner_call) struct hetzner_call call = {0};

	hetzner_call_init(&call, "GET", "/locations");
	if (hetzner_pages_read(hetzner, &call, "locations", add_location, &list, err) < 0)
		return -1;
	*ret = list;
	list = (struct hetzner_location_list){0};
	return 0;
}

int hetzner_pricing_get(struct hetzner *hetzner, struct hetzner_pricing *ret, struct error *err)
{
	CLEANUP(cleanup_hetzner_call) struct hetzner_call call = {0};

	hetzner_call_init(&call, "GET", "/pricing");
	if (hetzner_perform_one(hetzner, &call, err) < 0)
		return -1;
	if (hetzner_parse_pricing(json_object_get(call.reply, "pricing"), ret, err) < 0)
		return hetzner_fail(hetzner, HETZNER_UNREACHABLE);
	return 0;
}

void hetzner_image_list_release(struct hetzner_image_list *list)
{
	free(list->items);
	*list = (struct hetzner_image_list){0};
}

static int add_image(void *context, const json_t *json, struct error *err)
{
	struct hetzner_image_list *list = context;
	void *items = list->items;
	struct hetzner_image *image = hetzner_list_grow(&items, &list->count, sizeof(*list->items));

	list->items = items;
	return hetzner_parse_image(json, image, err);
}

int hetzner_images_list(struct hetzner *hetzner, const char *type, const char *name,
			const char *label_selector, struct hetzner_image_list *ret,
			struct error *err)
{
	CLEANUP(cleanup_hetzner_image_list) struct hetzner_image_list list = {0};
	CLEANUP(cleanup_hetzner_call) struct hetzner_call call = {0};

	hetzner_call_init(&call, "GET", "/images");
	hetzner_call_query(&call, "include_deprecated", "true");
	if (type != NULL)
		hetzner_call_query(&call, "type", type);
	if (name != NULL)
		hetzner_call_query(&call, "name", name);
	if (label_selector != NULL)
		hetzner_call_query(&call, "label_selector", label_selector);
	if (hetzner_pages_read(hetzner, &call, "images", add_image, &list, err) < 0)
		return -1;
	*ret = list;
	list = (struct hetzner_image_list){0};
	return 0;
}

int hetzner_image_delete(struct hetzner *hetzner, int64_t id, struct error *err)
{
	CLEANUP(cleanup_hetzner_call) struct hetzner_call call = {0};

	hetzner_call_init(&call, "DELETE", "/images/%" PRId64, id);
	return hetzner_perform_absent_is_fine(hetzner, &call, err);
}
