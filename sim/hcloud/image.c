#include "hcloud/image.h"

#include "base/str.h"
#include "hcloud/action_routes.h"
#include "hcloud/listing.h"
#include "hcloud/machines.h"
#include "hcloud/protection.h"
#include "hcloud/resource.h"

#define DESCRIPTION_BYTES_MAX 1024

json_t *image_find(struct sim *sim, struct project *project, int64_t id)
{
	json_t *own = table_find(&project->tables[KIND_IMAGE], id);

	return own ? own : table_find(&sim->catalog[KIND_IMAGE], id);
}

json_t *image_find_for(struct sim *sim, struct project *project, const json_t *id_or_name,
		       const char *architecture)
{
	const struct table *shared = &sim->catalog[KIND_IMAGE];
	struct error err;
	int64_t id = 0;

	if (json_is_integer(id_or_name))
		return image_find(sim, project, json_integer_value(id_or_name));
	for (size_t i = 0; i < shared->count; i++) {
		if (str_eq(doc_str(shared->docs[i], "name"), json_string_value(id_or_name)) &&
		    str_eq(doc_str(shared->docs[i], "architecture"), architecture))
			return shared->docs[i];
	}
	if (parse_i64(json_string_value(id_or_name), 1, INT64_MAX, &id, &err) < 0)
		return NULL;
	return image_find(sim, project, id);
}

void image_action_failed(const struct action_run *run)
{
	json_t *image = action_target(run, KIND_IMAGE);

	if (image && str_eq(doc_str(image, "status"), "creating"))
		doc_set_str(image, "status", "unavailable");
}

static bool is_current(const json_t *image, const void *context)
{
	(void)context;
	return doc_str(image, "deprecated") == NULL;
}

static int image_list(struct call *call)
{
	struct listing listing;

	listing_begin(&listing, call, KIND_IMAGE);
	listing_add_table(&listing, &call->sim->catalog[KIND_IMAGE]);
	listing_filter(&listing, "type", "type");
	listing_filter(&listing, "status", "status");
	listing_filter(&listing, "architecture", "architecture");
	listing_filter(&listing, "bound_to", "bound_to");
	/* Python's client writes True. */
	if (!query_has(&call->query, "include_deprecated", "true") &&
	    !query_has(&call->query, "include_deprecated", "True"))
		listing_keep(&listing, is_current, NULL);
	return listing_reply(&listing, "id name created");
}

static json_t *find(struct call *call)
{
	json_t *image = image_find(call->sim, call->project, call->ids[0]);

	if (!image)
		call_not_found(call, KIND_IMAGE, call->ids[0]);
	return image;
}

/* Only what the project made can be changed. */
static json_t *find_own(struct call *call)
{
	json_t *image = find(call);

	if (!image || table_find(&call->project->tables[KIND_IMAGE], doc_id(image)))
		return image;
	problem_set(&call->problem, PROBLEM_UNSUPPORTED_ERROR,
		    "images of type '%s' cannot be changed", doc_str(image, "type"));
	return NULL;
}

static int image_get(struct call *call)
{
	const json_t *image = find(call);

	return image ? resource_reply(call, 200, KIND_IMAGE, image) : -1;
}

/* A backup may become a snapshot; the other way is closed. */
static int image_update(struct call *call)
{
	json_t *image = find_own(call);
	const json_t *labels = NULL;
	const char *description = NULL;
	const char *type = NULL;
	struct fields fields;

	if (!image)
		return -1;
	call_fields(call, &fields);
	fields_str(&fields, "description", FIELD_OPTIONAL, DESCRIPTION_BYTES_MAX, &description);
	fields_str(&fields, "type", FIELD_OPTIONAL, DESCRIPTION_BYTES_MAX, &type);
	fields_labels(&fields, &labels);
	if (type && !str_eq(type, "snapshot"))
		fields_fail(&fields, "type", "Must be one of: snapshot.");
	if (fields_finish(&fields) < 0)
		return -1;
	if (description)
		doc_set_str(image, "description", description);
	if (type) {
		doc_set_str(image, "type", type);
		doc_set(image, "bound_to", json_null());
	}
	if (labels)
		doc_set(image, "labels", json_deep_copy(labels));
	return resource_reply(call, 200, KIND_IMAGE, image);
}

static int image_delete(struct call *call)
{
	const json_t *image = find_own(call);

	if (!image || resource_check_unprotected(call, image, "delete") < 0 ||
	    resource_check_unlocked(call, KIND_IMAGE, image) < 0)
		return -1;
	table_remove(&call->project->tables[KIND_IMAGE], doc_id(image));
	machines_forget_images(call->sim);
	return call_reply(call, 204, NULL);
}

static int image_change_protection(struct call *call)
{
	const json_t *image = find_own(call);

	return image ? protection_change(call, KIND_IMAGE, image) : -1;
}

static int image_actions_list(struct call *call)
{
	return action_list_of_kind(call, KIND_IMAGE);
}

static int image_actions_get(struct call *call)
{
	return action_get_of_kind(call, KIND_IMAGE);
}

static int image_own_actions_list(struct call *call)
{
	return find_own(call) ? action_list_of_resource(call, KIND_IMAGE) : -1;
}

static int image_own_actions_get(struct call *call)
{
	return action_get_of_resource(call, KIND_IMAGE);
}

const struct route image_routes[] = {
	{"GET", "/images", image_list},
	{"GET", "/images/{id}", image_get},
	{"PUT", "/images/{id}", image_update},
	{"DELETE", "/images/{id}", image_delete},
	{"GET", "/images/actions", image_actions_list},
	{"GET", "/images/actions/{id}", image_actions_get},
	{"GET", "/images/{id}/actions", image_own_actions_list},
	{"GET", "/images/{id}/actions/{id}", image_own_actions_get},
	{"POST", "/images/{id}/actions/change_protection", image_change_protection},
	{NULL, NULL, NULL},
};
