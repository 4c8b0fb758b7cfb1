#include "hcloud/firewall_rule.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/check.h"
#include "base/error.h"
#include "base/json.h"
#include "base/str.h"
#include "hcloud/doc.h"
#include "hcloud/fields.h"

#define WORD_BYTES_MAX	      16
#define PORT_BYTES_MAX	      16
#define PORT_MAX	      65535
#define DESCRIPTION_BYTES_MAX 255
#define NETWORK_BYTES_MAX     64
#define ADDRESS_BYTES_MAX     16

static const char *const protocols[] = {"tcp", "udp", "icmp", "esp", "gre"};

/* One rule being read. */
struct reader {
	struct fields fields;
	struct problem own;
};

static bool port_is_valid(const char *port)
{
	CLEANUP(cleanup_free) char *first = xstrdup(port);
	char *dash = strchr(first, '-');
	struct error err;
	uint64_t low;
	uint64_t high;

	if (str_eq(port, "any"))
		return true;
	if (dash)
		*dash = '\0';
	if (parse_u64(first, 1, PORT_MAX, &low, &err) < 0)
		return false;
	return !dash || parse_u64(dash + 1, low, PORT_MAX, &high, &err) == 0;
}

/* "10.0.0.0/8", "::/0": the address is where the network begins. */
static bool network_is_valid(const char *text)
{
	unsigned char address[ADDRESS_BYTES_MAX] = {0};
	char host[NETWORK_BYTES_MAX];
	const char *slash = strchr(text, '/');
	bool is_v6 = strchr(text, ':') != NULL;
	size_t bits_max = is_v6 ? 128 : 32;
	struct error err;
	uint64_t prefix;

	if (!slash || (size_t)(slash - text) >= sizeof(host) ||
	    parse_u64(slash + 1, 0, bits_max, &prefix, &err) < 0)
		return false;
	memcpy(host, text, (size_t)(slash - text));
	host[slash - text] = '\0';
	if (inet_pton(is_v6 ? AF_INET6 : AF_INET, host, address) != 1)
		return false;
	for (size_t bit = prefix; bit < bits_max; bit++) {
		if (address[bit / 8] & (0x80U >> bit % 8))
			return false;
	}
	return true;
}

static json_t *read_networks(struct reader *reader, const char *name, bool is_required)
{
	const json_t *networks = NULL;
	json_t *copy = json_array();

	fields_array(&reader->fields, name, is_required ? FIELD_REQUIRED : FIELD_OPTIONAL,
		     &networks);
	if (is_required && networks && json_array_size(networks) == 0)
		fields_fail(&reader->fields, name, "Shorter than minimum length 1.");
	if (json_array_size(networks) > FIREWALL_RULE_NETWORKS_MAX)
		fields_fail(&reader->fields, name, "Longer than maximum length %d.",
			    FIREWALL_RULE_NETWORKS_MAX);
	for (size_t i = 0; i < json_array_size(networks); i++) {
		const json_t *network = json_array_get(networks, i);

		if (!json_is_string(network) || !network_is_valid(json_string_value(network))) {
			fields_fail(&reader->fields, name, "is not a valid CIDR");
			break;
		}
		(void)json_array_append_new(copy, json_string(json_string_value(network)));
	}
	return copy;
}

static const char *read_protocol(struct reader *reader)
{
	const char *protocol = NULL;

	fields_str(&reader->fields, "protocol", FIELD_REQUIRED, WORD_BYTES_MAX, &protocol);
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		if (!protocol || str_eq(protocol, protocols[i]))
			return protocol;
	}
	fields_fail(&reader->fields, "protocol", "Must be one of: tcp, udp, icmp, esp, gre.");
	return protocol;
}

static const char *read_port(struct reader *reader, const char *protocol)
{
	bool has_ports = protocol && (str_eq(protocol, "tcp") || str_eq(protocol, "udp"));
	const char *port = NULL;

	fields_str(&reader->fields, "port", has_ports ? FIELD_REQUIRED : FIELD_OPTIONAL,
		   PORT_BYTES_MAX, &port);
	if (port && !has_ports)
		fields_fail(&reader->fields, "port", "is only allowed for tcp and udp");
	else if (port && !port_is_valid(port))
		fields_fail(&reader->fields, "port", "is not a valid port or range of ports");
	return port;
}

static json_t *read_rule(struct reader *reader)
{
	const char *direction = NULL;
	const char *description = NULL;

	fields_str(&reader->fields, "direction", FIELD_REQUIRED, WORD_BYTES_MAX, &direction);
	if (direction && !str_eq(direction, "in") && !str_eq(direction, "out"))
		fields_fail(&reader->fields, "direction", "Must be one of: in, out.");
	const char *protocol = read_protocol(reader);
	const char *port = read_port(reader, protocol);
	bool is_in = direction && str_eq(direction, "in");
	json_t *sources = read_networks(reader, "source_ips", is_in);
	json_t *destinations = read_networks(reader, "destination_ips", !is_in);
	fields_str(&reader->fields, "description", FIELD_OPTIONAL, DESCRIPTION_BYTES_MAX,
		   &description);
	return json_pack("{s:s?,s:s?,s:s?,s:s?,s:o,s:o}", "description", description, "direction",
			 direction, "protocol", protocol, "port", port, "source_ips", sources,
			 "destination_ips", destinations);
}

static size_t effective_count(const json_t *rule)
{
	size_t count = json_array_size(json_object_get(rule, "source_ips")) +
		       json_array_size(json_object_get(rule, "destination_ips"));

	return count > 0 ? count : 1;
}

int firewall_rules_read(const json_t *rules, json_t **ret, struct problem *problem)
{
	CLEANUP(cleanup_json) json_t *read = json_array();
	size_t effective = 0;

	if (json_array_size(rules) > FIREWALL_RULES_MAX)
		return problem_invalid(problem, "rules", "Longer than maximum length %d.",
				       FIREWALL_RULES_MAX);
	for (size_t i = 0; i < json_array_size(rules); i++) {
		struct reader reader = {0};

		if (!json_is_object(json_array_get(rules, i)))
			return problem_invalid(problem, "rules", "Not a valid mapping type.");
		fields_init(&reader.fields, json_array_get(rules, i), &reader.own);
		json_t *rule = read_rule(&reader);
		(void)json_array_append_new(read, rule);
		if (fields_finish(&reader.fields) < 0) {
			char name[sizeof(reader.own.name) + 32];

			(void)snprintf(name, sizeof(name), "rules.%zu.%s", i, reader.own.name);
			return problem_invalid(problem, name, "%s", reader.own.message);
		}
		effective += effective_count(rule);
	}
	if (effective > FIREWALL_EFFECTIVE_RULES_MAX)
		return problem_invalid(problem, "rules", "more than %d effective rules",
				       FIREWALL_EFFECTIVE_RULES_MAX);
	*ret = TAKE_PTR(read);
	return 0;
}
