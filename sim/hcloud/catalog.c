#include "hcloud/catalog.h"

#include <ctype.h>

#include "base/check.h"
#include "base/str.h"
#include "hcloud/price.h"

#define MICROS_PER_CENT	  10000
#define TIB		  (1LL << 40)
#define TYPES_ANNOUNCED	  "2025-10-16T06:00:00+00:00"
#define TYPES_UNAVAILABLE "2026-01-01T00:00:00+00:00"
#define SERVER_NAME_MAX	  16

static const struct location {
	int64_t id;
	const char *name;
	const char *description;
	const char *country;
	const char *city;
	double latitude;
	double longitude;
	const char *network_zone;
} locations[] = {
#define X(...) {__VA_ARGS__},
#include "hcloud/locations.def"
#undef X
};

enum category { COST = 1, REGULAR, GENERAL };
enum where { NOWHERE = 1, EUROPE, EVERYWHERE };

static const struct server_type {
	int64_t id;
	const char *name;
	enum category category;
	int cores;
	int memory_gb;
	int disk_gb;
	const char *cpu_type;
	const char *architecture;
	int64_t cents_europe;
	int64_t cents_us;
	int64_t cents_singapore;
	enum where gone;
} server_types[] = {
#define X(...) {__VA_ARGS__},
#include "hcloud/server_types.def"
#undef X
};

static const struct image {
	int64_t id;
	const char *type;
	const char *name;
	const char *description;
	const char *flavor;
	const char *version;
	const char *architecture;
	int disk_gb;
	const char *created;
	const char *deprecated;
} images[] = {
#define X(...) {__VA_ARGS__},
#include "hcloud/images.def"
#undef X
};

static bool is_european(const struct location *location)
{
	return str_eq(location->network_zone, "eu-central");
}

static bool is_american(const struct location *location)
{
	return str_has_prefix(location->network_zone, "us-");
}

static int64_t monthly_micros(const struct server_type *type, const struct location *location)
{
	int64_t cents = is_european(location)	? type->cents_europe
			: is_american(location) ? type->cents_us
						: type->cents_singapore;

	return cents * MICROS_PER_CENT;
}

static bool is_gone(const struct server_type *type, const struct location *location)
{
	switch (type->gone) {
	case NOWHERE:
		return false;
	case EUROPE:
		return is_european(location);
	case EVERYWHERE:
		return true;
	}
	UNREACHABLE();
}

static const char *category_text(enum category category)
{
	switch (category) {
	case COST:
		return "Cost-Optimized";
	case REGULAR:
		return "Regular Performance";
	case GENERAL:
		return "General Purpose";
	}
	UNREACHABLE();
}

static json_t *deprecation_json(bool gone)
{
	return gone ? json_pack("{s:s,s:s}", "announced", TYPES_ANNOUNCED, "unavailable_after",
				TYPES_UNAVAILABLE)
		    : json_null();
}

static json_t *price_at(const struct server_type *type, const struct location *location)
{
	int64_t monthly = monthly_micros(type, location);
	/* Traffic is dear where the sea cables are. */
	int64_t traffic = is_european(location) || is_american(location) ? 1000000 : 7400000;

	return json_pack("{s:s,s:o,s:o,s:I,s:o}", "location", location->name, "price_hourly",
			 price_json(price_hourly_micros(monthly)), "price_monthly",
			 price_json(monthly), "included_traffic",
			 (json_int_t)(is_european(location) ? 20 * TIB : TIB),
			 "price_per_tb_traffic", price_json(traffic));
}

static json_t *server_type_json(const struct server_type *type)
{
	json_t *prices = json_array();
	json_t *places = json_array();
	char description[SERVER_NAME_MAX] = "";

	for (size_t i = 0; type->name[i] && i + 1 < sizeof(description); i++)
		description[i] = (char)toupper((unsigned char)type->name[i]);
	for (size_t i = 0; i < ARRAY_SIZE(locations); i++) {
		const struct location *location = &locations[i];
		bool gone = is_gone(type, location);

		if (monthly_micros(type, location) == 0)
			continue;
		(void)json_array_append_new(prices, price_at(type, location));
		(void)json_array_append_new(places, json_pack("{s:I,s:s,s:o,s:b,s:b}", "id",
							      (json_int_t)location->id, "name",
							      location->name, "deprecation",
							      deprecation_json(gone), "recommended",
							      !gone, "available", !gone));
	}
	json_t *doc = json_pack("{s:I,s:s,s:s,s:s,s:i,s:f,s:i,s:s,s:s,s:s,s:o,s:o,s:o}", "id",
				(json_int_t)type->id, "name", type->name, "description",
				description, "category", category_text(type->category), "cores",
				type->cores, "memory", (double)type->memory_gb, "disk",
				type->disk_gb, "storage_type", "local", "cpu_type", type->cpu_type,
				"architecture", type->architecture, "prices", prices, "locations",
				places, "deprecation", deprecation_json(type->gone == EVERYWHERE));
	CHECK(doc != NULL);
	return doc;
}

static json_t *location_json(const struct location *location)
{
	json_t *doc =
		json_pack("{s:I,s:s,s:s,s:s,s:s,s:f,s:f,s:s}", "id", (json_int_t)location->id,
			  "name", location->name, "description", location->description, "country",
			  location->country, "city", location->city, "latitude", location->latitude,
			  "longitude", location->longitude, "network_zone", location->network_zone);

	CHECK(doc != NULL);
	return doc;
}

static json_t *image_json(const struct image *image)
{
	json_t *doc = json_pack(
		"{s:I,s:s,s:s,s:s,s:s,s:n,s:i,s:s,s:n,s:n,s:s,s:s,s:b,s:{s:b},s:s?,s:n,s:{},s:s}",
		"id", (json_int_t)image->id, "type", image->type, "status", "available", "name",
		image->name, "description", image->description, "image_size", "disk_size",
		image->disk_gb, "created", image->created, "created_from", "bound_to", "os_flavor",
		image->flavor, "os_version", image->version, "rapid_deploy", 1, "protection",
		"delete", 0, "deprecated", image->deprecated, "deleted", "labels", "architecture",
		image->architecture);

	CHECK(doc != NULL);
	return doc;
}

void catalog_fill(struct sim *sim)
{
	for (size_t i = 0; i < ARRAY_SIZE(locations); i++)
		table_add(&sim->catalog[KIND_LOCATION], location_json(&locations[i]));
	for (size_t i = 0; i < ARRAY_SIZE(server_types); i++)
		table_add(&sim->catalog[KIND_SERVER_TYPE], server_type_json(&server_types[i]));
	for (size_t i = 0; i < ARRAY_SIZE(images); i++)
		table_add(&sim->catalog[KIND_IMAGE], image_json(&images[i]));
}

static const struct server_type *type_of(const json_t *server_type)
{
	for (size_t i = 0; i < ARRAY_SIZE(server_types); i++) {
		if (server_types[i].id == doc_id(server_type))
			return &server_types[i];
	}
	UNREACHABLE();
}

static const struct location *location_named(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(locations); i++) {
		if (str_eq(locations[i].name, name))
			return &locations[i];
	}
	return NULL;
}

bool server_type_is_at(const json_t *server_type, const char *location_name)
{
	const struct location *location = location_named(location_name);

	return location && monthly_micros(type_of(server_type), location) > 0 &&
	       !is_gone(type_of(server_type), location);
}

int64_t server_type_monthly_micros(const json_t *server_type, const char *location_name)
{
	const struct location *location = location_named(location_name);

	return location ? monthly_micros(type_of(server_type), location) : 0;
}

int64_t server_type_hourly_micros(const json_t *server_type, const char *location_name)
{
	return price_hourly_micros(server_type_monthly_micros(server_type, location_name));
}
