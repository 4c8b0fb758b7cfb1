#include "hcloud/attachment.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/rand.h"

#define MAC_BYTES 18

static json_t *nets_of(const json_t *server)
{
	return json_object_get(server, "_nets");
}

json_t *attachment_find(const json_t *server, int64_t network_id)
{
	json_t *nets = nets_of(server);

	for (size_t i = 0; i < json_array_size(nets); i++) {
		if (doc_int(json_array_get(nets, i), "network") == network_id)
			return json_array_get(nets, i);
	}
	return NULL;
}

size_t attachment_count(const json_t *server)
{
	return json_array_size(nets_of(server));
}

json_t *attachment_add(json_t *server, int64_t network_id, uint32_t ip)
{
	char text[IPV4_RANGE_BYTES];
	char mac[MAC_BYTES];
	uint8_t random[3];

	rand_bytes(random, sizeof(random));
	(void)snprintf(mac, sizeof(mac), "86:00:00:%02x:%02x:%02x", random[0], random[1],
		       random[2]);
	json_t *attachment =
		json_pack("{s:I,s:s,s:[],s:s,s:b}", "network", (json_int_t)network_id, "ip",
			  ipv4_format(ip, text), "alias_ips", "mac_address", mac, "pending", 1);
	CHECK(json_array_append_new(nets_of(server), attachment) == 0);
	return attachment;
}

void attachment_remove(json_t *server, int64_t network_id)
{
	json_t *nets = nets_of(server);

	for (size_t i = json_array_size(nets); i > 0; i--) {
		if (doc_int(json_array_get(nets, i - 1), "network") == network_id)
			(void)json_array_remove(nets, i - 1);
	}
}

json_t *attachment_private_net(const json_t *server)
{
	const json_t *nets = nets_of(server);
	json_t *shown = json_array();

	for (size_t i = 0; i < json_array_size(nets); i++) {
		const json_t *net = json_array_get(nets, i);

		if (doc_bool(net, "pending"))
			continue;
		json_t *copy = json_deep_copy(net);
		(void)json_object_del(copy, "pending");
		(void)json_array_append_new(shown, copy);
	}
	return shown;
}

json_t *attachment_servers(const struct project *project, int64_t network_id)
{
	const struct table *servers = &project->tables[KIND_SERVER];
	json_t *ids = json_array();

	for (size_t i = 0; i < servers->count; i++) {
		const json_t *attachment = attachment_find(servers->docs[i], network_id);

		if (attachment && !doc_bool(attachment, "pending"))
			(void)json_array_append_new(ids, json_integer(doc_id(servers->docs[i])));
	}
	return ids;
}

size_t attachment_count_in(const struct project *project, int64_t network_id)
{
	const struct table *servers = &project->tables[KIND_SERVER];
	size_t count = 0;

	for (size_t i = 0; i < servers->count; i++)
		count += attachment_find(servers->docs[i], network_id) != NULL;
	return count;
}

static void add_ip(uint32_t **ips, size_t *count, const char *text)
{
	uint32_t ip;

	CHECK(text != NULL && ip_read(text, &ip));
	*ips = xreallocarray(*ips, *count + 1, sizeof(uint32_t));
	(*ips)[(*count)++] = ip;
}

static void add_cooling(const json_t *network, uint32_t **ips, size_t *count)
{
	json_t *cooling = json_object_get(network, "_cooling");
	const char *ip;
	json_t *until_ms;

	json_object_foreach (cooling, ip, until_ms) {
		if (json_integer_value(until_ms) > (json_int_t)clock_boottime_ms())
			add_ip(ips, count, ip);
	}
}

void attachment_taken(const struct project *project, int64_t network_id, int64_t except_server_id,
		      uint32_t **ret_ips, size_t *ret_count)
{
	const struct table *servers = &project->tables[KIND_SERVER];
	uint32_t *ips = NULL;
	size_t count = 0;

	for (size_t i = 0; i < servers->count; i++) {
		const json_t *net = attachment_find(servers->docs[i], network_id);
		const json_t *aliases = json_object_get(net, "alias_ips");

		if (!net || doc_id(servers->docs[i]) == except_server_id)
			continue;
		add_ip(&ips, &count, doc_str(net, "ip"));
		for (size_t j = 0; j < json_array_size(aliases); j++)
			add_ip(&ips, &count, json_string_value(json_array_get(aliases, j)));
	}
	add_cooling(table_find(&project->tables[KIND_NETWORK], network_id), &ips, &count);
	*ret_ips = ips;
	*ret_count = count;
}

void attachment_cool(json_t *network, const json_t *attachment, uint64_t ms)
{
	json_t *cooling = json_object_get(network, "_cooling");

	if (!cooling) {
		cooling = json_object();
		doc_set(network, "_cooling", cooling);
	}
	doc_set_int(cooling, doc_str(attachment, "ip"), (json_int_t)(clock_boottime_ms() + ms));
}
