#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/str.h"
#include "cloud/hetzner_call.h"
#include "cloud/hetzner_failure.h"
#include "cloud/hetzner_pages.h"
#include "cloud/hetzner_parse.h"

void hetzner_server_list_release(struct hetzner_server_list *list)
{
	free(list->items);
	*list = (struct hetzner_server_list){0};
}

static int add_server(void *context, const json_t *json, struct error *err)
{
	struct hetzner_server_list *list = context;
	void *items = list->items;
	struct hetzner_server *server =
		hetzner_list_grow(&items, &list->count, sizeof(*list->items));

	list->items = items;
	return hetzner_parse_server(json, server, err);
}

int hetzner_servers_list(struct hetzner *hetzner, const char *name, const char *label_selector,
			 struct hetzner_server_list *ret, struct error *err)
{
	CLEANUP(cleanup_hetzner_server_list) struct hetzner_server_list list = {0};
	CLEANUP(cleanup_hetzner_call) struct hetzner_call call = {0};

	hetzner_call_init(&call, "GET", "/servers");
	if (name != NULL)
		hetzner_call_query(&call, "name", name);
	if (label_selector != NULL)
		hetzner_call_query(&call, "label_selector", label_selector);
	if (hetzner_pages_read(hetzner, &call, "servers", add_server, &list, err) < 0)
		return -1;
	*ret = list;
	list = (struct hetzner_server_list){0};
	return 0;
}

int hetzner_server_get(struct hetzner *hetzner, int64_t id, struct hetzner_server *ret,
		       struct error *err)
{
	CLEANUP(cleanup_hetzner_call) struct hetzner_call call = {0};

	hetzner_call_init(&call, "GET", "/servers/%" PRId64, id);
	if (hetzner_perform_one(hetzner, &call, err) < 0)
		return -1;
	if (hetzner_parse_server(json_object_get(call.reply, "server"), ret, err) < 0)
		return hetzner_fail(hetzner, HETZNER_UNREACHABLE);
	return 0;
}

/* Creation */

static json_t *ids_json(const int64_t *ids, size_t count)
{
	json_t *json = json_array();

	for (size_t i = 0; i < count; i++)
		CHECK(json_array_append_new(json, json_integer(ids[i])) == 0);
	return json;
}

static json_t *firewalls_json(const int64_t *ids, size_t count)
{
	json_t *json = json_array();

	for (size_t i = 0; i < count; i++)
		CHECK(json_array_append_new(
			      json, json_pack("{s:I}", "firewall", (json_int_t)ids[i])) == 0);
	return json;
}

/* An image is named, or numbered when it is a snapshot; the API tells the two apart by type. */
static void add_image(struct hetzner_call *call, json_t *body, const char *image)
{
	struct error ignored;
	int64_t number;

	if (parse_i64(image, 1, HETZNER_ID_MAX, &number, &ignored) == 0)
		CHECK(json_object_set_new(body, "image", json_integer(number)) == 0);
	else
		hetzner_call_text(call, body, "image", image);
}

static void add_user_data(struct hetzner_call *call, json_t *body, const char *user_data)
{
	if (strlen(user_data) > HETZNER_USER_DATA_MAX)
		hetzner_call_refuse(call, "user_data", "is longer than %d bytes",
				    HETZNER_USER_DATA_MAX);
	else
		hetzner_call_text(call, body, "user_data", user_data);
}

static void prepare_creation(struct hetzner_call *call,
			     const struct hetzner_server_request *request)
{
	json_t *body = json_pack(
		"{s:b, s:o, s:o, s:o, s:{s:b, s:b}}", "start_after_create",
		request->start_after_create, "networks",
		ids_json(request->network_ids, request->network_count), "firewalls",
		firewalls_json(request->firewall_ids, request->firewall_count), "ssh_keys",
		ids_json(request->ssh_key_ids, request->ssh_key_count), "public_net", "enable_ipv4",
		request->public_ipv4, "enable_ipv6", request->public_ipv6);

	CHECK(body != NULL);
	hetzner_call_init(call, "POST", "/servers");
	hetzner_call_text(call, body, "name", request->name);
	hetzner_call_text(call, body, "server_type", request->server_type);
	hetzner_call_text(call, body, "location", request->location);
	add_image(call, body, request->image);
	hetzner_call_labels(call, body, request->labels);
	if (request->user_data != NULL)
		add_user_data(call, body, request->user_data);
	if (request->placement_group_id != 0)
		CHECK(json_object_set_new(body, "placement_group",
					  json_integer(request->placement_group_id)) == 0);
	hetzner_call_body(call, body);
}

static void take_failure(const struct hetzner_call *call, struct hetzner_outcome *outcome)
{
	outcome->result = call->result;
	outcome->failure = call->failure;
	outcome->err = call->err;
}

/* An answer that cannot be read tells of a server all the same. */
static void take_unreadable(struct hetzner_outcome *outcome)
{
	outcome->result = -1;
	outcome->failure.code = HETZNER_UNREACHABLE;
	outcome->failure.outcome_unknown = true;
	(void)error_hint(&outcome->err, "%s", hetzner_failure_advice(&outcome->failure));
}

static void take_created(const struct hetzner_call *call, struct hetzner_outcome *outcome)
{
	take_failure(call, outcome);
	if (call->result < 0)
		return;
	if (hetzner_parse_server(json_object_get(call->reply, "server"), &outcome->server,
				 &outcome->err) < 0 ||
	    hetzner_parse_actions_begun(call->reply, &outcome->actions, &outcome->err) < 0)
		take_unreadable(outcome);
}

void hetzner_servers_create(struct hetzner *hetzner, const struct hetzner_server_request *requests,
			    size_t count, struct hetzner_outcome *outcomes)
{
	CLEANUP(cleanup_free) struct hetzner_call *calls = xcalloc(count + 1, sizeof(*calls));

	for (size_t i = 0; i < count; i++) {
		outcomes[i] = (struct hetzner_outcome){0};
		prepare_creation(&calls[i], &requests[i]);
	}
	hetzner_perform(hetzner, calls, count);
	for (size_t i = 0; i < count; i++) {
		take_created(&calls[i], &outcomes[i]);
		hetzner->failure = outcomes[i].failure;
		hetzner_call_release(&calls[i]);
	}
}

void hetzner_servers_delete(struct hetzner *hetzner, const int64_t *ids, size_t count,
			    struct hetzner_outcome *outcomes)
{
	CLEANUP(cleanup_free) struct hetzner_call *calls = xcalloc(count + 1, sizeof(*calls));

	for (size_t i = 0; i < count; i++) {
		outcomes[i] = (struct hetzner_outcome){0};
		hetzner_call_init(&calls[i], "DELETE", "/servers/%" PRId64, ids[i]);
	}
	hetzner_perform(hetzner, calls, count);
	for (size_t i = 0; i < count; i++) {
		struct hetzner_outcome *outcome = &outcomes[i];

		take_failure(&calls[i], outcome);
		if (calls[i].failure.code == HETZNER_NOT_FOUND)
			*outcome = (struct hetzner_outcome){0};
		else if (outcome->result == 0 &&
			 hetzner_parse_actions_begun(calls[i].reply, &outcome->actions,
						     &outcome->err) < 0)
			take_unreadable(outcome);
		hetzner->failure = outcome->failure;
		hetzner_call_release(&calls[i]);
	}
}

int hetzner_server_create(struct hetzner *hetzner, const struct hetzner_server_request *request,
			  struct hetzner_server *ret, struct hetzner_actions *ret_actions,
			  struct error *err)
{
	struct hetzner_outcome outcome;

	hetzner_servers_create(hetzner, request, 1, &outcome);
	if (outcome.result < 0) {
		*err = outcome.err;
		return -1;
	}
	*ret = outcome.server;
	*ret_actions = outcome.actions;
	return 0;
}

int hetzner_server_delete(struct hetzner *hetzner, int64_t id, struct hetzner_actions *ret_actions,
			  struct error *err)
{
	struct hetzner_outcome outcome;

	hetzner_servers_delete(hetzner, &id, 1, &outcome);
	if (outcome.result < 0) {
		*err = outcome.err;
		return -1;
	}
	*ret_actions = outcome.actions;
	return 0;
}

/* Actions */

/* Prepares one of a server's actions. */
static void prepare_action(struct hetzner_call *call, int64_t id, const char *action)
{
	hetzner_call_init(call, "POST", "/servers/%" PRId64 "/actions/%s", id, action);
}

int hetzner_server_power(struct hetzner *hetzner, int64_t id, const char *action,
			 struct hetzner_actions *ret, struct error *err)
{
	CLEANUP(cleanup_hetzner_call) struct hetzner_call call = {0};

	prepare_action(&call, id, action);
	return hetzner_perform_action(hetzner, &call, ret, err);
}

int hetzner_server_attach_to_network(struct hetzner *hetzner, int64_t server_id, int64_t network_id,
				     const char *ip, struct hetzner_actions *ret, struct error *err)
{
	CLEANUP(cleanup_hetzner_call) struct hetzner_call call = {0};
	json_t *body = json_pack("{s:I}", "network", (json_int_t)network_id);

	prepare_action(&call, server_id, "attach_to_network");
	if (ip != NULL)
		hetzner_call_text(&call, body, "ip", ip);
	hetzner_call_body(&call, body);
	return hetzner_perform_action(hetzner, &call, ret, err);
}

int hetzner_server_detach_from_network(struct hetzner *hetzner, int64_t server_id,
				       int64_t network_id, struct hetzner_actions *ret,
				       struct error *err)
{
	CLEANUP(cleanup_hetzner_call) struct hetzner_call call = {0};

	prepare_action(&call, server_id, "detach_from_network");
	hetzner_call_body(&call, json_pack("{s:I}", "network", (json_int_t)network_id));
	return hetzner_perform_action(hetzner, &call, ret, err);
}

int hetzner_server_set_labels(struct hetzner *hetzner, int64_t id,
			      const struct hetzner_labels *labels, struct error *err)
{
	CLEANUP(cleanup_hetzner_call) struct hetzner_call call = {0};

	hetzner_call_init(&call, "PUT", "/servers/%" PRId64, id);
	json_t *body = json_object();
	hetzner_call_labels(&call, body, labels);
	hetzner_call_body(&call, body);
	return hetzner_perform_one(hetzner, &call, err);
}

int hetzner_server_create_image(struct hetzner *hetzner, int64_t id, const char *description,
				const struct hetzner_labels *labels, int64_t *ret_image_id,
				struct hetzner_actions *ret, struct error *err)
{
	CLEANUP(cleanup_hetzner_call) struct hetzner_call call = {0};
	struct hetzner_reader reader = {.err = err};

	json_t *body = json_pack("{s:s}", "type", "snapshot");
	prepare_action(&call, id, "create_image");
	hetzner_call_text(&call, body, "description", description);
	hetzner_call_labels(&call, body, labels);
	hetzner_call_body(&call, body);
	if (hetzner_perform_action(hetzner, &call, ret, err) < 0)
		return -1;
	hetzner_read_id(&reader, hetzner_read_object(&reader, call.reply, "image"), "id",
			ret_image_id);
	return reader.failed ? hetzner_fail_unreadable(hetzner, err) : 0;
}
