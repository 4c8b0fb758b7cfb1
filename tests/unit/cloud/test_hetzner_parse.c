/* Readers of replies: what is right, and what names itself when it is wrong. */
#include "cloud/hetzner_parse.h"

#include "base/check.h"
#include "tap.h"

static void expect_micros(const char *text, int64_t expected)
{
	int64_t micros = -1;

	if (expected < 0) {
		EXPECT(!hetzner_parse_micros(text, &micros));
		return;
	}
	EXPECT(hetzner_parse_micros(text, &micros));
	EXPECT_INT(micros, expected);
}

TEST(prices_become_micros)
{
	expect_micros("0.0088000000000000", 8800);
	expect_micros("5.49", 5490000);
	expect_micros("1", 1000000);
	expect_micros("0.0000005", 1); /* half up */
	expect_micros("0.00000049999999", 0);
	expect_micros("9999999.9999999", INT64_C(10000000000000));
	expect_micros("", -1);
	expect_micros(".5", -1);
	expect_micros("1.", -1);
	expect_micros("-1", -1);
	expect_micros("+1", -1);
	expect_micros("1e3", -1);
	expect_micros(" 1", -1);
	expect_micros("1,5", -1);
	expect_micros("12345678", -1);
	expect_micros("0x1", -1);
}

static void expect_time(const char *text, int64_t expected_us)
{
	int64_t us = -1;

	EXPECT_INT(hetzner_parse_time(text, &us), expected_us >= 0);
	EXPECT_INT(us, expected_us);
}

TEST(both_forms_of_time)
{
	expect_time("2026-01-30T23:55:00+00:00", INT64_C(1769817300000000));
	expect_time("2026-01-30T23:55:00Z", INT64_C(1769817300000000));
	expect_time("2026-01-30T23:55:00.25Z", INT64_C(1769817300250000));
	expect_time("2026-01-30T23:55:00.123456789Z", INT64_C(1769817300123456));
	expect_time("2026-01-30T23:55:00", -1);
	expect_time("2026-01-30T23:55:00.Z", -1);
	expect_time("2026-01-30T23:55:00+02:00", -1);
	expect_time("2026-01-30", -1);
	expect_time("1960-01-30T23:55:00Z", -1);
	expect_time("", -1);
}

static json_t *server_json(void)
{
	json_t *json = json_loads(
		"{\"id\":9007199254740991,\"name\":\"w\",\"status\":\"running\",\"locked\":true,"
		"\"created\":\"2026-01-30T23:55:00Z\",\"server_type\":{\"name\":\"cx23\"},"
		"\"location\":{\"name\":\"nbg1\",\"network_zone\":\"eu-central\"},"
		"\"public_net\":{\"ipv4\":{\"ip\":\"192.0.2.1\"},\"ipv6\":null},"
		"\"private_net\":[{\"network\":5,\"ip\":\"10.0.1.3\",\"alias_ips\":[],"
		"\"mac_address\":\"86:00:00:00:00:01\"}],\"placement_group\":{\"id\":6},"
		"\"labels\":{\"grid\":\"g\"},\"unheard_of\":[1,{}]}",
		0, NULL);

	EXPECT(json != NULL);
	return json;
}

TEST(a_server_is_read)
{
	CLEANUP(cleanup_json) json_t *json = server_json();
	struct hetzner_server server;
	struct error err;

	EXPECT_OK(hetzner_parse_server(json, &server, &err), err);
	EXPECT_INT(server.id, HETZNER_ID_MAX);
	EXPECT_INT(server.status, HETZNER_SERVER_RUNNING);
	EXPECT(server.locked);
	EXPECT_STR(server.server_type, "cx23");
	EXPECT_STR(server.network_zone, "eu-central");
	EXPECT_STR(server.public_ipv4, "192.0.2.1");
	EXPECT_STR(server.public_ipv6, "");
	EXPECT_INT(server.private_net_count, 1);
	EXPECT_STR(server.private_nets[0].ip, "10.0.1.3");
	EXPECT_INT(server.placement_group_id, 6);
	EXPECT_STR(hetzner_label_get(&server.labels, "grid"), "g");
}

TEST(an_unheard_of_status_is_unknown)
{
	CLEANUP(cleanup_json) json_t *json = server_json();
	struct hetzner_server server;
	struct error err;

	EXPECT(json_object_set_new(json, "status", json_string("levitating")) == 0);
	EXPECT_OK(hetzner_parse_server(json, &server, &err), err);
	EXPECT_INT(server.status, HETZNER_SERVER_UNKNOWN);
}

/* With the member replaced by this JSON ("": absent) the server is refused, by that name. */
static void expect_refused(const char *member, const char *value)
{
	CLEANUP(cleanup_json) json_t *json = server_json();
	struct hetzner_server server;
	struct error err;

	if (value[0] == '\0')
		EXPECT(json_object_del(json, member) == 0);
	else
		EXPECT(json_object_set_new(
			       json, member,
			       json_loads(value, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL)) == 0);
	EXPECT_ERR(hetzner_parse_server(json, &server, &err), err, ERR_UNAVAILABLE);
	if (strstr(err.msg, member) == NULL)
		tap_fail(__FILE__, __LINE__, "%s is not in \"%s\"", member, err.msg);
}

TEST(what_is_wrong_names_itself)
{
	static const char *const required[] = {"id",	      "name",	  "status",	"created",
					       "server_type", "location", "private_net"};

	for (size_t i = 0; i < ARRAY_SIZE(required); i++) {
		expect_refused(required[i], "");
		expect_refused(required[i], "null");
		expect_refused(required[i], "true");
	}
	expect_refused("id", "0");
	expect_refused("id", "-1");
	expect_refused("id", "1.5");
	expect_refused("id", "9007199254740992");
	expect_refused("name", "\"a\\u0000b\"");
	expect_refused("locked", "1");
	expect_refused("public_net", "[]");
	expect_refused("placement_group", "6");
	expect_refused("labels", "[]");
	expect_refused("private_net", "[{},{},{},{}]");
}

TEST(a_network_keeps_its_lists)
{
	CLEANUP(cleanup_json)
	json_t *json = json_loads(
		"{\"id\":1,\"name\":\"n\",\"ip_range\":\"10.0.0.0/16\",\"created\":"
		"\"2026-01-30T23:55:00Z\",\"labels\":{},\"protection\":{\"delete\":true},"
		"\"subnets\":[{\"type\":\"cloud\",\"ip_range\":\"10.0.1.0/24\",\"network_zone\":"
		"\"eu-central\",\"gateway\":\"10.0.0.1\",\"vswitch_id\":null}],\"routes\":["
		"{\"destination\":\"0.0.0.0/0\",\"gateway\":\"10.0.1.2\"}],\"servers\":[42]}",
		0, NULL);
	struct hetzner_network network;
	struct error err;

	EXPECT_OK(hetzner_parse_network(json, &network, &err), err);
	EXPECT_STR(network.subnets[0].gateway, "10.0.0.1");
	EXPECT_STR(network.routes[0].gateway, "10.0.1.2");
	EXPECT_INT(network.server_ids[0], 42);
	EXPECT(network.delete_protected);
	hetzner_network_release(&network);
	EXPECT(json_array_append_new(json_object_get(json, "servers"),
				     json_integer(HETZNER_ID_MAX + 1)) == 0);
	EXPECT_ERR(hetzner_parse_network(json, &network, &err), err, ERR_UNAVAILABLE);
}

TEST(actions_begun_are_all_of_them)
{
	CLEANUP(cleanup_json)
	json_t *json = json_loads(
		"{\"action\":{\"id\":1,\"command\":\"create_server\",\"status\":\"running\","
		"\"progress\":0,\"error\":null},\"next_actions\":[{\"id\":2,\"command\":"
		"\"start_server\",\"status\":\"running\",\"progress\":0,\"error\":null}]}",
		0, NULL);
	struct hetzner_actions actions;
	struct error err;

	EXPECT_OK(hetzner_parse_actions_begun(json, &actions, &err), err);
	EXPECT_INT(actions.count, 2);
	EXPECT_INT(actions.ids[0], 1);
	EXPECT(json_object_set_new(json, "next_actions", json_string("none")) == 0);
	EXPECT_ERR(hetzner_parse_actions_begun(json, &actions, &err), err, ERR_UNAVAILABLE);
	EXPECT(json_object_del(json, "next_actions") == 0);
	EXPECT(json_object_del(json, "action") == 0);
	EXPECT_ERR(hetzner_parse_actions_begun(json, &actions, &err), err, ERR_UNAVAILABLE);
	EXPECT_ERR(hetzner_parse_actions_begun(NULL, &actions, &err), err, ERR_UNAVAILABLE);
}
