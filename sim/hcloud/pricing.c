#include "hcloud/pricing.h"

#include "base/check.h"
#include "hcloud/price.h"

#define IMAGE_GB_MONTH_MICROS  14300
#define VOLUME_GB_MONTH_MICROS 57200
#define FLOATING_IPV4_MICROS   3000000
#define FLOATING_IPV6_MICROS   1000000
#define BACKUP_PERCENT	       "20.0000000000"
#define VAT_RATE	       "19.000000"

static json_t *ip_price(const char *location, int64_t monthly_micros, bool is_hourly)
{
	json_t *price = json_pack("{s:s,s:o}", "location", location, "price_monthly",
				  price_json(monthly_micros));

	if (is_hourly)
		(void)json_object_set_new(price, "price_hourly",
					  price_json(price_hourly_micros(monthly_micros)));
	return price;
}

/* {"type", "prices": [one for each location]} */
static json_t *ip_prices(const struct sim *sim, const char *type, int64_t monthly_micros,
			 bool is_hourly)
{
	const struct table *locations = &sim->catalog[KIND_LOCATION];
	json_t *prices = json_array();

	for (size_t i = 0; i < locations->count; i++)
		(void)json_array_append_new(prices, ip_price(doc_str(locations->docs[i], "name"),
							     monthly_micros, is_hourly));
	return json_pack("{s:s,s:o}", "type", type, "prices", prices);
}

static json_t *server_type_prices(const struct sim *sim)
{
	const struct table *types = &sim->catalog[KIND_SERVER_TYPE];
	json_t *list = json_array();

	for (size_t i = 0; i < types->count; i++)
		(void)json_array_append_new(
			list, json_pack("{s:I,s:s,s:O}", "id", (json_int_t)doc_id(types->docs[i]),
					"name", doc_str(types->docs[i], "name"), "prices",
					json_object_get(types->docs[i], "prices")));
	return list;
}

static int pricing_get(struct call *call)
{
	const struct sim *sim = call->sim;
	json_t *pricing = json_pack(
		"{s:s,s:s,s:{s:o},s:{s:o},s:{s:s},s:{s:o},s:[o,o],s:[o,o],s:o,s:[]}", "currency",
		"EUR", "vat_rate", VAT_RATE, "image", "price_per_gb_month",
		price_json(IMAGE_GB_MONTH_MICROS), "volume", "price_per_gb_month",
		price_json(VOLUME_GB_MONTH_MICROS), "server_backup", "percentage", BACKUP_PERCENT,
		"floating_ip", "price_monthly", price_json(FLOATING_IPV4_MICROS), "floating_ips",
		ip_prices(sim, "ipv4", FLOATING_IPV4_MICROS, false),
		ip_prices(sim, "ipv6", FLOATING_IPV6_MICROS, false), "primary_ips",
		ip_prices(sim, "ipv4", PRICING_IPV4_MONTHLY_MICROS, true),
		ip_prices(sim, "ipv6", 0, true), "server_types", server_type_prices(sim),
		"load_balancer_types");

	CHECK(pricing != NULL);
	return call_reply(call, 200, json_pack("{s:o}", "pricing", pricing));
}

const struct route pricing_routes[] = {
	{"GET", "/pricing", pricing_get},
	{NULL, NULL, NULL},
};
