/* Whole objects of the API: what is read of them, and which member is named when one is wrong. */
#include "base/check.h"
#include "cloud/hetzner_parse.h"
#include "tap.h"

#define CREATED "\"created\":\"2026-01-30T23:55:00+00:00\""
#define PRICE(location, hourly)                                                      \
	"{\"location\":\"" location "\",\"price_hourly\":{\"net\":\"" hourly         \
	"\",\"gross\":\"9\"},\"price_monthly\":{\"net\":\"3.4900000000\",\"gross\":" \
	"\"9\"}}"

static const char type_text[] =
	"{\"id\":114,\"name\":\"cx23\",\"architecture\":\"x86\",\"cores\":2,\"memory\":4.0,"
	"\"disk\":40,\"prices\":[" PRICE("fsn1", "0.0056000000") "," PRICE(
		"hel1",
		"0.0056005") "],"
			     "\"locations\":[{\"id\":1,\"name\":\"fsn1\",\"available\":false,"
			     "\"deprecation\":null},{\"id\":3,\"name\":\"hel1\",\"available\":true,"
			     "\"deprecation\":{\"announced\":\"2026-01-01T00:00:00Z\","
			     "\"unavailable_after\":\"2026-04-01T00:00:00Z\"}},"
			     "{\"id\":9,\"name\":\"moon\"}]}";
static const char image_text[] =
	"{\"id\":7,\"name\":null,\"description\":\"golden\",\"type\":\"snapshot\",\"status\":"
	"\"available\",\"architecture\":\"arm\"," CREATED ",\"labels\":{\"a\":\"b\"}}";
static const char location_text[] =
	"{\"id\":1,\"name\":\"fsn1\",\"network_zone\":\"eu-central\",\"city\":\"Falkenstein\"}";
static const char named_text[] =
	"{\"id\":5,\"name\":\"k\",\"fingerprint\":\"b7:2f\",\"servers\":[1,2,3],\"labels\":{}}";
static const char pricing_text[] =
	"{\"currency\":\"EUR\",\"primary_ips\":[{\"type\":\"ipv6\",\"prices\":[]},"
	"{\"type\":\"ipv4\",\"prices\":[" PRICE("fsn1", "0.0008") "]}]}";
static const char action_text[] =
	"{\"id\":13,\"command\":\"create_server\",\"status\":\"error\",\"progress\":100,\"error\":"
	"{\"code\":\"action_failed\",\"message\":\"no luck\"}}";
static const char network_text[] =
	"{\"id\":3,\"name\":\"n\",\"ip_range\":\"10.0.0.0/16\"," CREATED
	",\"subnets\":[{\"type\":\"cloud\",\"ip_range\":\"10.0.1.0/24\",\"network_zone\":"
	"\"eu-central\",\"gateway\":\"10.0.0.1\"}],\"routes\":[],\"servers\":[1,9007199254740991],"
	"\"labels\":{}}";

/* Each kind behind one signature. */
#define PARSER(noun)                                                   \
	static int parse_##noun(const json_t *json, struct error *err) \
	{                                                              \
		struct hetzner_##noun ret;                             \
		return hetzner_parse_##noun(json, &ret, err);          \
	}
PARSER(server_type)
PARSER(image)
PARSER(location)
PARSER(named)
PARSER(pricing)
PARSER(action)

static int parse_network(const json_t *json, struct error *err)
{
	struct hetzner_network network;
	int result = hetzner_parse_network(json, &network, err);

	hetzner_network_release(&network);
	return result;
}

static const struct kind {
	const char *text;
	int (*parse)(const json_t *json, struct error *err);
	const char *required[8];
} kinds[] = {
	{type_text, parse_server_type, {"id", "name", "cores", "memory", "disk", "prices"}},
	{image_text, parse_image, {"id", "type", "status", "created"}},
	{location_text, parse_location, {"id", "name", "network_zone"}},
	{named_text, parse_named, {"id", "name"}},
	{pricing_text, parse_pricing, {"currency", "primary_ips"}},
	{action_text, parse_action, {"id", "command", "status", "progress"}},
	{network_text,
	 parse_network,
	 {"id", "name", "ip_range", "created", "subnets", "routes", "servers"}},
};

static json_t *load(const char *text)
{
	json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);

	if (json == NULL)
		tap_fail(__FILE__, __LINE__, "no JSON: %s", text);
	return json;
}

/* The object with one member replaced ("": removed) is refused, and the message names it. */
static void expect_refused(const struct kind *kind, const char *member, const char *value)
{
	CLEANUP(cleanup_json) json_t *json = load(kind->text);
	struct error err = {0};

	if (value[0] == '\0')
		EXPECT_INT(json_object_del(json, member), 0);
	else
		EXPECT_INT(json_object_set_new(json, member, load(value)), 0);
	if (kind->parse(json, &err) == 0)
		tap_fail(__FILE__, __LINE__, "read with \"%s\" as '%s': %s", member, value,
			 kind->text);
	EXPECT_INT(err.code, ERR_UNAVAILABLE);
	if (strstr(err.msg, member) == NULL)
		tap_fail(__FILE__, __LINE__, "%s is not in \"%s\"", member, err.msg);
}

TEST(what_is_required_is_missed_by_name)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		CLEANUP(cleanup_json) json_t *json = load(kinds[i].text);
		struct error err;

		EXPECT_OK(kinds[i].parse(json, &err), err);
		for (size_t k = 0; kinds[i].required[k] != NULL; k++) {
			expect_refused(&kinds[i], kinds[i].required[k], "");
			expect_refused(&kinds[i], kinds[i].required[k], "null");
			expect_refused(&kinds[i], kinds[i].required[k], "true");
			expect_refused(&kinds[i], kinds[i].required[k], "{}");
		}
	}
}

TEST(what_is_no_object_is_refused)
{
	static const char *const others[] = {"[]", "\"text\"", "7", "null", "true", "{}"};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(others); k++) {
			CLEANUP(cleanup_json) json_t *json = load(others[k]);
			struct error err;

			EXPECT_ERR(kinds[i].parse(json, &err), err, ERR_UNAVAILABLE);
		}
		struct error err;
		EXPECT_ERR(kinds[i].parse(NULL, &err), err, ERR_UNAVAILABLE);
	}
}

/* What people name as they like is cut. */
static bool is_cut(const struct kind *kind, const char *member)
{
	return strcmp(member, "name") == 0 &&
	       (kind->parse == parse_named || kind->parse == parse_network);
}

TEST(what_is_huge_is_refused_by_name)
{
	CLEANUP(cleanup_free) char *text = xcalloc(1, 70003);

	text[0] = '"';
	memset(text + 1, 'x', 70000);
	text[70001] = '"';
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		for (size_t k = 0; kinds[i].required[k] != NULL; k++) {
			if (!is_cut(&kinds[i], kinds[i].required[k]))
				expect_refused(&kinds[i], kinds[i].required[k], text);
		}
	}
	expect_refused(&kinds[0], "cores", "4097");
	expect_refused(&kinds[0], "cores", "-1");
	expect_refused(&kinds[0], "memory", "1e300");
	expect_refused(&kinds[0], "disk", "-1");
	expect_refused(&kinds[5], "progress", "101");
	expect_refused(&kinds[5], "status", "\"finished\"");
	expect_refused(&kinds[6], "servers", "[0]");
	expect_refused(&kinds[6], "servers", "[\"1\"]");
	expect_refused(&kinds[6], "servers", "[9007199254740992]");
}

TEST(a_server_type_has_its_prices)
{
	CLEANUP(cleanup_json) json_t *json = load(type_text);
	struct hetzner_server_type type;
	struct error err;

	EXPECT_OK(hetzner_parse_server_type(json, &type, &err), err);
	EXPECT_INT(type.cores, 2);
	EXPECT_INT(type.memory_bytes, INT64_C(4) << 30);
	EXPECT_INT(type.disk_bytes, INT64_C(40) << 30);
	EXPECT_INT(type.price_count, 2);
	EXPECT_STR(type.prices[0].location, "fsn1");
	EXPECT_INT(type.prices[0].hourly_micros, 5600);
	EXPECT_INT(type.prices[0].monthly_micros, 3490000);
	EXPECT(!type.prices[0].available);
	EXPECT(!type.prices[0].deprecated);
	EXPECT_INT(type.prices[1].hourly_micros, 5601);
	EXPECT(type.prices[1].available);
	EXPECT(type.prices[1].deprecated);
	EXPECT_INT(type.prices[0].unavailable_us, 0);
	EXPECT_INT(type.prices[1].unavailable_us, INT64_C(1775001600000000));
}

TEST(half_a_gigabyte_is_read)
{
	CLEANUP(cleanup_json) json_t *json = load(type_text);
	struct hetzner_server_type type;
	struct error err;

	EXPECT_INT(json_object_set_new(json, "memory", json_real(0.5)), 0);
	EXPECT_OK(hetzner_parse_server_type(json, &type, &err), err);
	EXPECT_INT(type.memory_bytes, INT64_C(1) << 29);
}

TEST(a_price_that_is_none_is_named)
{
	static const char *const bad[] = {
		"[{\"location\":\"fsn1\"}]",
		"[" PRICE("fsn1", "") "]",
		"[" PRICE("fsn1", "-1") "]",
		"[" PRICE("fsn1", "free") "]",
		"[{\"location\":\"fsn1\",\"price_hourly\":{\"net\":0.5},\"price_monthly\":{}}]",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP(cleanup_json) json_t *json = load(type_text);
		struct error err = {0};

		EXPECT_INT(json_object_set_new(json, "prices", load(bad[i])), 0);
		EXPECT_ERR(parse_server_type(json, &err), err, ERR_UNAVAILABLE);
		if (strstr(err.msg, "price_hourly") == NULL && strstr(err.msg, "net") == NULL)
			tap_fail(__FILE__, __LINE__, "price %zu: \"%s\"", i, err.msg);
	}
}

TEST(more_prices_than_there_is_room_for)
{
	CLEANUP(cleanup_json) json_t *json = load(type_text);
	CLEANUP(cleanup_json) json_t *price = load(PRICE("x", "1"));
	json_t *prices = json_object_get(json, "prices");
	struct error err;

	EXPECT_INT(json_array_clear(prices), 0);
	for (int i = 0; i < HETZNER_PRICES_MAX; i++)
		EXPECT_INT(json_array_append(prices, price), 0);
	EXPECT_OK(parse_server_type(json, &err), err);
	EXPECT_INT(json_array_append(prices, price), 0);
	EXPECT_ERR(parse_server_type(json, &err), err, ERR_UNAVAILABLE);
	EXPECT(strstr(err.msg, "\"prices\"") != NULL);
}

/* Others may put any labels on what is theirs, and none of that may hide what is ours. */
TEST(labels_without_end_are_counted)
{
	CLEANUP(cleanup_json) json_t *json = load(image_text);
	json_t *labels = json_object_get(json, "labels");
	struct hetzner_image image;
	char key[400];
	struct error err;

	for (int i = 0; i < 100; i++) {
		(void)snprintf(key, sizeof(key), "k%d", i);
		EXPECT_INT(json_object_set_new(labels, key, json_string("v")), 0);
	}
	memset(key, 'x', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	EXPECT_INT(json_object_set_new(labels, key, json_string("v")), 0);
	EXPECT_INT(json_object_set_new(labels, "rgrid-grid", json_string("ours")), 0);
	EXPECT_OK(hetzner_parse_image(json, &image, &err), err);
	EXPECT_INT(image.labels.count, HETZNER_LABELS_MAX);
	EXPECT_INT(image.labels.count + image.labels.omitted, json_object_size(labels));
	EXPECT_STR(hetzner_label_get(&image.labels, "rgrid-grid"), "ours");
	EXPECT_INT(json_object_clear(labels), 0);
	EXPECT_INT(json_object_set_new(labels, "k", json_integer(1)), 0);
	EXPECT_ERR(hetzner_parse_image(json, &image, &err), err, ERR_UNAVAILABLE);
	EXPECT(strstr(err.msg, "\"labels\"") != NULL);
}

TEST(a_long_description_is_cut_between_characters)
{
	CLEANUP(cleanup_json) json_t *json = load(image_text);
	struct hetzner_image image;
	char text[600] = "a";
	struct error err;

	for (size_t i = 1; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa4", 3);
	EXPECT_INT(json_object_set_new(json, "description", json_string(text)), 0);
	EXPECT_OK(hetzner_parse_image(json, &image, &err), err);
	EXPECT_INT(strlen(image.description), 255);
	EXPECT(strncmp(image.description, text, 255) == 0);
	EXPECT_INT(json_object_set_new(json, "description", json_string(text + 1)), 0);
	EXPECT_OK(hetzner_parse_image(json, &image, &err), err);
	EXPECT_INT(strlen(image.description), 254);
	EXPECT_INT(json_object_set_new(json, "description", json_integer(1)), 0);
	EXPECT_ERR(hetzner_parse_image(json, &image, &err), err, ERR_UNAVAILABLE);
}

TEST(an_image_and_a_named_resource)
{
	CLEANUP(cleanup_json) json_t *image_json = load(image_text);
	CLEANUP(cleanup_json) json_t *named_json = load(named_text);
	struct hetzner_image image;
	struct hetzner_named named;
	struct error err;

	EXPECT_OK(hetzner_parse_image(image_json, &image, &err), err);
	EXPECT_STR(image.name, "");
	EXPECT_STR(image.description, "golden");
	EXPECT_STR(hetzner_label_get(&image.labels, "a"), "b");
	EXPECT_INT(image.created_us, INT64_C(1769817300000000));
	EXPECT_OK(hetzner_parse_named(named_json, &named, &err), err);
	EXPECT_STR(named.fingerprint, "b7:2f");
	EXPECT_INT(named.server_count, 3);
}

TEST(the_price_of_an_address)
{
	CLEANUP(cleanup_json) json_t *json = load(pricing_text);
	struct hetzner_pricing pricing;
	struct error err;

	EXPECT_OK(hetzner_parse_pricing(json, &pricing, &err), err);
	EXPECT_STR(pricing.currency, "EUR");
	EXPECT_INT(pricing.primary_ipv4_count, 1);
	EXPECT_INT(pricing.primary_ipv4[0].hourly_micros, 800);
}

TEST(an_action_that_failed_says_why)
{
	CLEANUP(cleanup_json) json_t *json = load(action_text);
	struct hetzner_action action;
	struct error err;

	EXPECT_OK(hetzner_parse_action(json, &action, &err), err);
	EXPECT_INT(action.status, HETZNER_ACTION_ERROR);
	EXPECT_STR(action.error_code, "action_failed");
	EXPECT_STR(action.error_message, "no luck");
}
