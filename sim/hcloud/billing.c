#include "hcloud/billing.h"

#include "base/check.h"
#include "base/str.h"
#include "hcloud/catalog.h"
#include "hcloud/price.h"
#include "hcloud/pricing.h"

#define HOURS_OF_MONTH 730U

uint64_t billing_hours(int64_t from_us, int64_t until_us, int64_t hour_us)
{
	if (until_us <= from_us)
		return 1;
	return (uint64_t)((until_us - from_us + hour_us - 1) / hour_us);
}

int64_t billing_cost(uint64_t hours, int64_t hourly_micros, int64_t monthly_micros)
{
	int64_t whole = (int64_t)(hours / HOURS_OF_MONTH) * monthly_micros;
	int64_t rest = (int64_t)(hours % HOURS_OF_MONTH) * hourly_micros;

	return whole + (rest < monthly_micros ? rest : monthly_micros);
}

static bool is_open(const json_t *entry)
{
	return json_is_null(json_object_get(entry, "until_us"));
}

static json_t *find_open(const struct project *project, int64_t id)
{
	for (size_t i = json_array_size(project->ledger); i > 0; i--) {
		json_t *entry = json_array_get(project->ledger, i - 1);

		if (doc_id(entry) == id && is_open(entry))
			return entry;
	}
	return NULL;
}

static void open_entry(struct project *project, enum kind kind, const json_t *doc, int64_t from_us,
		       const char *server_type, const char *location, int64_t hourly_micros,
		       int64_t monthly_micros)
{
	json_t *entry = json_pack(
		"{s:s,s:I,s:s,s:s?,s:s,s:I,s:I,s:I,s:n}", "kind", kind_singular(kind), "id",
		(json_int_t)doc_id(doc), "name", doc_str(doc, "name"), "server_type", server_type,
		"location", location, "hourly_micros", (json_int_t)hourly_micros, "monthly_micros",
		(json_int_t)monthly_micros, "from_us", (json_int_t)from_us, "until_us");

	CHECK(entry != NULL);
	CHECK(json_array_append_new(project->ledger, entry) == 0);
}

/* A server that has changed its type is billed anew from now on. */
static void update_server(struct sim *sim, struct project *project, const json_t *server,
			  int64_t now_us)
{
	const json_t *type = table_find(&sim->catalog[KIND_SERVER_TYPE], doc_int(server, "_type"));
	const char *location = doc_str(server, "_location");
	int64_t from_us = doc_int(server, "_created_us");
	json_t *entry = find_open(project, doc_id(server));

	CHECK(type != NULL);
	if (entry && str_eq(doc_str(entry, "server_type"), doc_str(type, "name")))
		return;
	if (entry) {
		doc_set_int(entry, "until_us", now_us);
		from_us = now_us;
	}
	open_entry(project, KIND_SERVER, server, from_us, doc_str(type, "name"), location,
		   server_type_hourly_micros(type, location),
		   server_type_monthly_micros(type, location));
}

static void update_address(struct project *project, const json_t *ip)
{
	if (!str_eq(doc_str(ip, "type"), "ipv4") || find_open(project, doc_id(ip)))
		return;
	open_entry(project, KIND_PRIMARY_IP, ip, doc_int(ip, "_created_us"), NULL,
		   doc_str(ip, "_location"), price_hourly_micros(PRICING_IPV4_MONTHLY_MICROS),
		   PRICING_IPV4_MONTHLY_MICROS);
}

static void close_gone(struct project *project, int64_t now_us)
{
	for (size_t i = 0; i < json_array_size(project->ledger); i++) {
		json_t *entry = json_array_get(project->ledger, i);

		if (is_open(entry) && !table_find(&project->tables[KIND_SERVER], doc_id(entry)) &&
		    !table_find(&project->tables[KIND_PRIMARY_IP], doc_id(entry)))
			doc_set_int(entry, "until_us", now_us);
	}
}

void billing_update(struct sim *sim)
{
	int64_t now_us = vclock_now_us(&sim->clock);

	for (size_t i = 0; i < sim->project_count; i++) {
		struct project *project = sim->projects[i];
		const struct table *servers = &project->tables[KIND_SERVER];
		const struct table *addresses = &project->tables[KIND_PRIMARY_IP];

		for (size_t j = 0; j < servers->count; j++)
			update_server(sim, project, servers->docs[j], now_us);
		for (size_t j = 0; j < addresses->count; j++)
			update_address(project, addresses->docs[j]);
		close_gone(project, now_us);
	}
}

json_t *billing_statement(const struct sim *sim, const struct project *project)
{
	int64_t now_us = vclock_now_us(&sim->clock);
	uint64_t billed_hour_ms = sim->settings.billed_hour_ms;
	int64_t hour_us = billed_hour_ms > 0 ? (int64_t)billed_hour_ms * 1000 : BILLING_HOUR_US;
	json_t *items = json_array();
	int64_t total = 0;

	for (size_t i = 0; i < json_array_size(project->ledger); i++) {
		json_t *item = json_deep_copy(json_array_get(project->ledger, i));
		int64_t until_us = is_open(item) ? now_us : doc_int(item, "until_us");
		uint64_t hours = billing_hours(doc_int(item, "from_us"), until_us, hour_us);
		int64_t cost = billing_cost(hours, doc_int(item, "hourly_micros"),
					    doc_int(item, "monthly_micros"));

		doc_set_int(item, "hours", (json_int_t)hours);
		doc_set_int(item, "cost_micros", cost);
		(void)json_array_append_new(items, item);
		total += cost;
	}
	return json_pack("{s:s,s:I,s:o}", "project", project->name, "total_micros",
			 (json_int_t)total, "items", items);
}
