/* Any bytes as a reply of Hetzner Cloud: whatever is accepted is within its bounds, whatever is
 * refused says so. Every parser reads every reply. */
#include "base/check.h"
#include "base/json.h"
#include "base/str.h"
#include "cloud/hetzner_failure.h"
#include "cloud/hetzner_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check_id(int64_t id)
{
	CHECK(id >= 1 && id <= HETZNER_ID_MAX);
}

static void check_prices(const struct hetzner_price *prices, size_t count)
{
	CHECK(count <= HETZNER_PRICES_MAX);
	for (size_t i = 0; i < count; i++)
		CHECK(prices[i].hourly_micros >= 0 && prices[i].monthly_micros >= 0);
}

static void check_refusal(const struct error *err)
{
	CHECK(err->code == ERR_UNAVAILABLE);
	CHECK(err->msg[0] != '\0');
}

static void read_machines(const json_t *json)
{
	/* Each holds labels: together they are too large for a stack. */
	static struct hetzner_server server;
	static struct hetzner_network network;
	static struct hetzner_image image;
	struct error err = {0};

	if (hetzner_parse_server(json, &server, &err) == 0) {
		check_id(server.id);
		CHECK(server.status >= HETZNER_SERVER_UNKNOWN);
		CHECK(server.private_net_count <= HETZNER_NETWORKS_MAX);
		CHECK(server.labels.count <= HETZNER_LABELS_MAX);
	} else {
		check_refusal(&err);
	}
	if (hetzner_parse_network(json, &network, &err) == 0) {
		check_id(network.id);
		for (size_t i = 0; i < network.server_count; i++)
			check_id(network.server_ids[i]);
	} else {
		check_refusal(&err);
	}
	hetzner_network_release(&network);
	if (hetzner_parse_image(json, &image, &err) == 0)
		check_id(image.id);
	else
		check_refusal(&err);
}

static void read_catalog(const json_t *json)
{
	struct hetzner_server_type type;
	struct hetzner_pricing pricing;
	struct hetzner_location location;
	static struct hetzner_named named;
	struct error err = {0};

	if (hetzner_parse_server_type(json, &type, &err) == 0) {
		check_id(type.id);
		check_prices(type.prices, type.price_count);
	}
	if (hetzner_parse_pricing(json, &pricing, &err) == 0)
		check_prices(pricing.primary_ipv4, pricing.primary_ipv4_count);
	if (hetzner_parse_location(json, &location, &err) == 0)
		check_id(location.id);
	if (hetzner_parse_named(json, &named, &err) == 0)
		check_id(named.id);
}

static void read_actions(const json_t *json)
{
	struct hetzner_action action;
	struct hetzner_actions actions;
	struct error err = {0};

	if (hetzner_parse_action(json, &action, &err) == 0) {
		check_id(action.id);
		CHECK(action.status >= HETZNER_ACTION_RUNNING &&
		      action.status <= HETZNER_ACTION_ERROR);
		CHECK(action.progress_percent <= 100);
	}
	if (hetzner_parse_actions_begun(json, &actions, &err) == 0) {
		CHECK(actions.count <= HETZNER_ACTIONS_MAX);
		for (size_t i = 0; i < actions.count; i++)
			check_id(actions.ids[i]);
	} else {
		check_refusal(&err);
	}
}

static void read_failure(const json_t *json)
{
	static const long statuses[] = {302, 401, 404, 409, 422, 423, 429, 500, 503, 504};

	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		struct hetzner_failure failure = {0};
		struct error err = {0};

		hetzner_failure_read(json, statuses[i], &failure);
		CHECK(failure.code > HETZNER_OK && failure.code < HETZNER_CODE_MAX);
		hetzner_failure_explain(&failure, "POST", "/servers", &err);
		CHECK(err.code != ERR_NONE && err.msg[0] != '\0');
	}
}

static void read_text(const char *text)
{
	struct hetzner_labels labels = {0};
	int64_t number;

	if (hetzner_parse_micros(text, &number))
		CHECK(number >= 0 && number <= INT64_C(10000000000000));
	if (hetzner_parse_time(text, &number))
		CHECK(number >= 0);
	hetzner_label_set(&labels, "k", text);
	const char *value = hetzner_label_get(&labels, "k");
	size_t bytes = strlen(value);
	CHECK(bytes <= 63);
	CHECK(strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
	      bytes);
	CHECK(bytes == 0 ||
	      (strchr("-_.", value[0]) == NULL && strchr("-_.", value[bytes - 1]) == NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	CLEANUP(cleanup_free) char *text = xcalloc(bytes + 1, 1);
	CLEANUP(cleanup_json) json_t *json = NULL;
	struct error err;

	if (bytes > 0)
		memcpy(text, data, bytes);
	read_text(text);
	if (json_parse(text, bytes, &json, &err) < 0)
		return 0;
	read_machines(json);
	read_catalog(json);
	read_actions(json);
	read_failure(json);
	return 0;
}
