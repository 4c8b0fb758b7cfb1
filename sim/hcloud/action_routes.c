#include "hcloud/action_routes.h"

#include "base/str.h"
#include "hcloud/listing.h"
#include "hcloud/resource.h"

#define SORT_FIELDS "id command status started finished progress"

struct about {
	enum kind kind;
	int64_t id; /* 0: any */
};

static bool is_about(const json_t *action, const void *context)
{
	const struct about *about = context;
	const json_t *resources = json_object_get(action, "resources");

	for (size_t i = 0; i < json_array_size(resources); i++) {
		const json_t *resource = json_array_get(resources, i);

		if (str_eq(doc_str(resource, "type"), kind_singular(about->kind)) &&
		    (about->id == 0 || doc_id(resource) == about->id))
			return true;
	}
	return false;
}

static int list_about(struct call *call, const struct about *about)
{
	struct listing listing;

	listing_begin(&listing, call, KIND_ACTION);
	listing_keep(&listing, is_about, about);
	listing_filter(&listing, "status", "status");
	listing_filter(&listing, "id", "id");
	return listing_reply(&listing, SORT_FIELDS);
}

static int get_about(struct call *call, const struct about *about, size_t index)
{
	const json_t *action = call_find(call, KIND_ACTION, index);

	if (!action)
		return -1;
	if (!is_about(action, about))
		return call_not_found(call, KIND_ACTION, call->ids[index]);
	return resource_reply(call, 200, KIND_ACTION, action);
}

int action_list_of_kind(struct call *call, enum kind kind)
{
	return list_about(call, &(const struct about){.kind = kind});
}

int action_get_of_kind(struct call *call, enum kind kind)
{
	return get_about(call, &(const struct about){.kind = kind}, 0);
}

int action_list_of_resource(struct call *call, enum kind kind)
{
	if (!call_find(call, kind, 0))
		return -1;
	return list_about(call, &(const struct about){.kind = kind, .id = call->ids[0]});
}

int action_get_of_resource(struct call *call, enum kind kind)
{
	return get_about(call, &(const struct about){.kind = kind, .id = call->ids[0]}, 1);
}

static int action_list(struct call *call)
{
	struct listing listing;

	/* Listing all actions of a project is no more. */
	if (!query_get(&call->query, "id"))
		return problem_named(&call->problem, PROBLEM_DEPRECATED_API_ENDPOINT,
				     "https://docs.hetzner.cloud/changelog"
				     "#2025-01-30-listing-arbitrary-actions",
				     "listing arbitrary actions is not supported anymore");
	listing_begin(&listing, call, KIND_ACTION);
	listing_filter(&listing, "id", "id");
	listing_filter(&listing, "status", "status");
	return listing_reply(&listing, SORT_FIELDS);
}

static int action_get(struct call *call)
{
	return resource_get(call, KIND_ACTION);
}

const struct route action_routes[] = {
	{"GET", "/actions", action_list},
	{"GET", "/actions/{id}", action_get},
	{NULL, NULL, NULL},
};
