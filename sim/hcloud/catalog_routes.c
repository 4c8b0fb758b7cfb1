#include "hcloud/catalog.h"

#include "base/str.h"
#include "hcloud/listing.h"
#include "hcloud/resource.h"

#define ANNOUNCED "2026-01-15T06:00:00+00:00"

static bool is_retired(struct sim *sim, const json_t *server_type)
{
	return faults_strike(&sim->faults, FAULT_RETIRED,
			     (const struct fault_subject[]){
				     {"type", doc_str(server_type, "name")},
				     {NULL, NULL},
			     }) != NULL;
}

/* Names win, then numbers in words, as some clients send ids in. */
static const json_t *find(const struct table *table, const json_t *id_or_name)
{
	struct error err;
	int64_t id;

	if (json_is_integer(id_or_name))
		return table_find(table, json_integer_value(id_or_name));
	const char *name = json_string_value(id_or_name);
	const json_t *doc = table_find_name(table, name);
	if (!doc && parse_i64(name, 1, INT64_MAX, &id, &err) == 0)
		doc = table_find(table, id);
	return doc;
}

const json_t *catalog_find(struct sim *sim, enum kind kind, const json_t *id_or_name)
{
	const json_t *doc = find(&sim->catalog[kind], id_or_name);

	return doc && kind == KIND_SERVER_TYPE && is_retired(sim, doc) ? NULL : doc;
}

static int location_list(struct call *call)
{
	struct listing listing;

	listing_begin(&listing, call, KIND_LOCATION);
	return listing_reply(&listing, "id name");
}

static int location_get(struct call *call)
{
	return resource_get(call, KIND_LOCATION);
}

/* Faults: an end that is announced, and a word of what can be had that need not be true. */
static void apply_faults(struct sim *sim, const json_t *server_type, json_t *place)
{
	const struct fault_subject subject[] = {{"type", doc_str(server_type, "name")},
						{"location", doc_str(place, "name")},
						{NULL, NULL}};
	const json_t *stock = faults_strike(&sim->faults, FAULT_STOCK, subject);
	const json_t *ends = faults_strike(&sim->faults, FAULT_DEPRECATED, subject);
	char text[VCLOCK_TEXT_BYTES];

	if (stock)
		doc_set_bool(place, "available", fault_int(stock, "available", 0) != 0);
	if (!ends)
		return;
	int64_t after_us =
		vclock_now_us(&sim->clock) + fault_int(ends, "seconds", 0) * INT64_C(1000000);
	doc_set(place, "deprecation",
		json_pack("{s:s,s:s}", "announced", ANNOUNCED, "unavailable_after",
			  vclock_format(after_us, text)));
}

json_t *server_type_view(struct sim *sim, struct project *project, const json_t *server_type)
{
	json_t *view = doc_public(server_type);
	json_t *place;
	size_t index;

	(void)project;
	json_array_foreach (json_object_get(view, "locations"), index, place)
		apply_faults(sim, view, place);
	return view;
}

static bool is_on_sale(const json_t *server_type, const void *context)
{
	const struct call *call = context;

	return !is_retired(call->sim, server_type);
}

static int server_type_list(struct call *call)
{
	struct listing listing;

	listing_begin(&listing, call, KIND_SERVER_TYPE);
	listing_keep(&listing, is_on_sale, call);
	return listing_reply(&listing, "id name");
}

static int server_type_get(struct call *call)
{
	const json_t *server_type = call_find(call, KIND_SERVER_TYPE, 0);

	if (!server_type)
		return -1;
	if (is_retired(call->sim, server_type))
		return call_not_found(call, KIND_SERVER_TYPE, doc_id(server_type));
	return resource_reply(call, 200, KIND_SERVER_TYPE, server_type);
}

/* Gone since October 2026. */
static int datacenter_gone(struct call *call)
{
	return problem_named(
		&call->problem, PROBLEM_DEPRECATED_API_ENDPOINT,
		"https://docs.hetzner.cloud/changelog#2026-06-02-datacenters-deprecated",
		"the datacenters endpoints have been removed, use locations instead");
}

const struct route catalog_routes[] = {
	{"GET", "/locations", location_list},
	{"GET", "/locations/{id}", location_get},
	{"GET", "/server_types", server_type_list},
	{"GET", "/server_types/{id}", server_type_get},
	{"GET", "/datacenters", datacenter_gone},
	{"GET", "/datacenters/{id}", datacenter_gone},
	{NULL, NULL, NULL},
};
