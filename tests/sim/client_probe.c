/* Drives the client of cloud/hetzner.h by hand, for tests/sim/test_client.sh.
 *
 *	client_probe "COMMAND WORD…" …     all with one client, of HCLOUD_ENDPOINT and HCLOUD_TOKEN
 *
 * Each command is answered by "ok COMMAND …" or "error COMMAND OUTCOME: message; what to do", with
 * OUTCOME "unknown" when the request may have been obeyed all the same, else "refused". A command
 * after "finish" is also waited for: "finish attach 1 2". Any error makes the exit code 1. SIGTERM
 * interrupts the client. CLIENT_TIMEOUT_MS and CLIENT_ACTION_TIMEOUT_MS shorten its deadlines,
 * CLIENT_BACKOFF_MS its waits before retries.
 *
 *	create_network NAME RANGE, delete_network ID
 *	add_subnet, delete_subnet NETWORK RANGE; add_route, delete_route NETWORK DESTINATION GATEWAY
 *	create_server NAME [WORD…], create_servers PREFIX COUNT [WORD…]
 *		WORDs: type=, location=, network=, label=KEY=VALUE, data=, image=, ipv4, off
 *	delete_server ID…
 *	attach SERVER NETWORK [ADDRESS], detach SERVER NETWORK, power SERVER ACTION
 *	snapshot SERVER DESCRIPTION
 *	list servers|networks|images|types|ssh_keys [name=NAME|label=SELECTOR]
 *	show SERVER
 *	wait ACTION…
 *	reserve REQUESTS, budget */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/str.h"
#include "cloud/hetzner.h"

#define WORDS_MAX   128
#define SERVERS_MAX 128
#define SAID_BYTES  65536
#define ZONE	    "eu-central"
#define COMMANDS(X)          \
	X(create_network, 3) \
	X(delete_network, 2) \
	X(add_subnet, 3)     \
	X(delete_subnet, 3)  \
	X(add_route, 4)      \
	X(delete_route, 4)   \
	X(create_server, 2)  \
	X(create_servers, 3) \
	X(delete_server, 2)  \
	X(attach, 3)         \
	X(detach, 3)         \
	X(power, 3)          \
	X(snapshot, 3)       \
	X(list, 2)           \
	X(show, 2)           \
	X(wait, 2)           \
	X(reserve, 2)        \
	X(budget, 1)

static volatile int interrupted;

struct probe {
	struct hetzner *hetzner;
	char **words; /* NULL-terminated */
	size_t count;
	struct buf said;
	struct hetzner_actions actions; /* that the command has set going */
};

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

static bool was_interrupted(void *context)
{
	(void)context;
	return interrupted != 0;
}

static int64_t number(const char *word)
{
	struct error ignored;
	int64_t value;

	return parse_i64(word, 0, INT64_MAX, &value, &ignored) == 0 ? value : 0;
}

static uint64_t setting(const char *name)
{
	const char *value = getenv(name);

	return value != NULL ? (uint64_t)number(value) : 0;
}

static void say(struct probe *probe, const char *name, int64_t id)
{
	buf_appendf(&probe->said, " %s=%" PRId64, name, id);
}

/* Networks */

static int run_create_network(struct probe *probe, struct error *err)
{
	int64_t id;

	if (hetzner_network_create(probe->hetzner, probe->words[1], probe->words[2], NULL, &id,
				   err) < 0)
		return -1;
	say(probe, probe->words[1], id);
	return 0;
}

static int run_delete_network(struct probe *probe, struct error *err)
{
	return hetzner_network_delete(probe->hetzner, number(probe->words[1]), err);
}

static int run_add_subnet(struct probe *probe, struct error *err)
{
	return hetzner_network_add_subnet(probe->hetzner, number(probe->words[1]), probe->words[2],
					  ZONE, &probe->actions, err);
}

static int run_delete_subnet(struct probe *probe, struct error *err)
{
	return hetzner_network_delete_subnet(probe->hetzner, number(probe->words[1]),
					     probe->words[2], &probe->actions, err);
}

static int run_add_route(struct probe *probe, struct error *err)
{
	return hetzner_network_add_route(probe->hetzner, number(probe->words[1]), probe->words[2],
					 probe->words[3], &probe->actions, err);
}

static int run_delete_route(struct probe *probe, struct error *err)
{
	return hetzner_network_delete_route(probe->hetzner, number(probe->words[1]),
					    probe->words[2], probe->words[3], &probe->actions, err);
}

/* Servers */

/* A request and what it points to. */
struct order {
	struct hetzner_server_request request;
	struct hetzner_labels labels;
	int64_t networks[HETZNER_NETWORKS_MAX];
};

static void order_add_label(struct order *order, const char *text)
{
	const char *value = strchr(text, '=');
	CLEANUP(cleanup_free)
	char *key = xasprintf("%.*s", (int)(value != NULL ? value - text : 0), text);

	hetzner_label_set(&order->labels, key, value != NULL ? value + 1 : "");
}

static void order_take(struct order *order, const char *word)
{
	const char *equals = strchr(word, '=');
	const char *value = equals != NULL ? equals + 1 : "";
	struct hetzner_server_request *request = &order->request;

	if (str_has_prefix(word, "type="))
		request->server_type = value;
	else if (str_has_prefix(word, "location="))
		request->location = value;
	else if (str_has_prefix(word, "image="))
		request->image = value;
	else if (str_has_prefix(word, "data="))
		request->user_data = value;
	else if (str_has_prefix(word, "label="))
		order_add_label(order, value);
	else if (str_has_prefix(word, "network=") && request->network_count < HETZNER_NETWORKS_MAX)
		order->networks[request->network_count++] = number(value);
	else if (str_eq(word, "ipv4"))
		request->public_ipv4 = true;
	else if (str_eq(word, "off"))
		request->start_after_create = false;
}

static void order_read(struct order *order, char *const *words)
{
	*order = (struct order){.request = {.server_type = "cx23",
					    .image = "debian-13",
					    .location = "fsn1",
					    .start_after_create = true}};
	order->request.labels = &order->labels;
	order->request.network_ids = order->networks;
	for (; *words != NULL; words++)
		order_take(order, *words);
}

static int run_create_server(struct probe *probe, struct error *err)
{
	struct hetzner_server server;
	struct order order;

	order_read(&order, probe->words + 2);
	order.request.name = probe->words[1];
	if (hetzner_server_create(probe->hetzner, &order.request, &server, &probe->actions, err) <
	    0)
		return -1;
	say(probe, server.name, server.id);
	return 0;
}

static int run_create_servers(struct probe *probe, struct error *err)
{
	static struct hetzner_server_request requests[SERVERS_MAX];
	static struct hetzner_outcome outcomes[SERVERS_MAX];
	static char names[SERVERS_MAX][64];
	size_t count = (size_t)number(probe->words[2]);
	struct order order;
	int result = 0;

	CHECK(count <= SERVERS_MAX);
	order_read(&order, probe->words + 3);
	for (size_t i = 0; i < count; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "%s%zu", probe->words[1], i + 1);
		requests[i] = order.request;
		requests[i].name = names[i];
	}
	hetzner_servers_create(probe->hetzner, requests, count, outcomes);
	for (size_t i = 0; i < count; i++) {
		if (outcomes[i].result == 0)
			say(probe, outcomes[i].server.name, outcomes[i].server.id);
		else
			*err = outcomes[i].err;
		result = outcomes[i].result < 0 ? -1 : result;
	}
	return result;
}

static int run_delete_server(struct probe *probe, struct error *err)
{
	static struct hetzner_outcome outcomes[WORDS_MAX];
	int64_t ids[WORDS_MAX];
	size_t count = probe->count - 1;
	int result = 0;

	for (size_t i = 0; i < count; i++)
		ids[i] = number(probe->words[i + 1]);
	hetzner_servers_delete(probe->hetzner, ids, count, outcomes);
	for (size_t i = 0; i < count; i++) {
		if (outcomes[i].result < 0) {
			*err = outcomes[i].err;
			result = -1;
		} else if (i == 0) {
			probe->actions = outcomes[i].actions;
		}
	}
	return result;
}

static int run_attach(struct probe *probe, struct error *err)
{
	return hetzner_server_attach_to_network(probe->hetzner, number(probe->words[1]),
						number(probe->words[2]), probe->words[3],
						&probe->actions, err);
}

static int run_detach(struct probe *probe, struct error *err)
{
	return hetzner_server_detach_from_network(probe->hetzner, number(probe->words[1]),
						  number(probe->words[2]), &probe->actions, err);
}

static int run_power(struct probe *probe, struct error *err)
{
	return hetzner_server_power(probe->hetzner, number(probe->words[1]), probe->words[2],
				    &probe->actions, err);
}

static int run_snapshot(struct probe *probe, struct error *err)
{
	int64_t id;

	if (hetzner_server_create_image(probe->hetzner, number(probe->words[1]), probe->words[2],
					NULL, &id, &probe->actions, err) < 0)
		return -1;
	say(probe, "image", id);
	return 0;
}

static int run_show(struct probe *probe, struct error *err)
{
	struct hetzner_server server;

	if (hetzner_server_get(probe->hetzner, number(probe->words[1]), &server, err) < 0)
		return -1;
	say(probe, server.name, server.id);
	for (size_t i = 0; i < server.private_net_count; i++)
		buf_appendf(&probe->said, " %s", server.private_nets[i].ip);
	return 0;
}

/* Listings */

static int list_servers(struct probe *probe, const char *name, const char *label, struct error *err)
{
	CLEANUP(cleanup_hetzner_server_list) struct hetzner_server_list list = {0};

	if (hetzner_servers_list(probe->hetzner, name, label, &list, err) < 0)
		return -1;
	buf_appendf(&probe->said, " %zu", list.count);
	for (size_t i = 0; i < list.count; i++)
		say(probe, list.items[i].name, list.items[i].id);
	return 0;
}

static int list_networks(struct probe *probe, const char *name, const char *label,
			 struct error *err)
{
	CLEANUP(cleanup_hetzner_network_list) struct hetzner_network_list list = {0};

	if (hetzner_networks_list(probe->hetzner, name, label, &list, err) < 0)
		return -1;
	buf_appendf(&probe->said, " %zu", list.count);
	for (size_t i = 0; i < list.count; i++) {
		say(probe, list.items[i].name, list.items[i].id);
		buf_appendf(&probe->said, "(%zu subnets, %zu routes, %zu servers)",
			    list.items[i].subnet_count, list.items[i].route_count,
			    list.items[i].server_count);
	}
	return 0;
}

static int list_images(struct probe *probe, const char *name, const char *label, struct error *err)
{
	CLEANUP(cleanup_hetzner_image_list) struct hetzner_image_list list = {0};

	if (hetzner_images_list(probe->hetzner, "snapshot", name, label, &list, err) < 0)
		return -1;
	buf_appendf(&probe->said, " %zu", list.count);
	for (size_t i = 0; i < list.count; i++)
		say(probe, list.items[i].description, list.items[i].id);
	return 0;
}

static int list_types(struct probe *probe, struct error *err)
{
	CLEANUP(cleanup_hetzner_server_type_list) struct hetzner_server_type_list list = {0};

	if (hetzner_server_types_list(probe->hetzner, &list, err) < 0)
		return -1;
	for (size_t i = 0; i < list.count; i++)
		say(probe, list.items[i].name, list.items[i].id);
	return 0;
}

static int list_ssh_keys(struct probe *probe, const char *name, struct error *err)
{
	CLEANUP(cleanup_hetzner_named_list) struct hetzner_named_list list = {0};

	if (hetzner_ssh_keys_list(probe->hetzner, name, &list, err) < 0)
		return -1;
	buf_appendf(&probe->said, " %zu", list.count);
	for (size_t i = 0; i < list.count; i++)
		say(probe, list.items[i].name, list.items[i].id);
	return 0;
}

static int run_list(struct probe *probe, struct error *err)
{
	const char *kind = probe->words[1];
	const char *name = NULL;
	const char *label = NULL;

	if (probe->count > 2 && str_has_prefix(probe->words[2], "name="))
		name = probe->words[2] + strlen("name=");
	if (probe->count > 2 && str_has_prefix(probe->words[2], "label="))
		label = probe->words[2] + strlen("label=");
	if (str_eq(kind, "servers"))
		return list_servers(probe, name, label, err);
	if (str_eq(kind, "networks"))
		return list_networks(probe, name, label, err);
	if (str_eq(kind, "images"))
		return list_images(probe, name, label, err);
	if (str_eq(kind, "types"))
		return list_types(probe, err);
	return list_ssh_keys(probe, name, err);
}

/* The rest */

static int run_wait(struct probe *probe, struct error *err)
{
	struct hetzner_actions actions = {0};

	for (size_t i = 1; i < probe->count && actions.count < HETZNER_ACTIONS_MAX; i++)
		actions.ids[actions.count++] = number(probe->words[i]);
	return hetzner_actions_wait(probe->hetzner, &actions, err);
}

static int run_reserve(struct probe *probe, struct error *err)
{
	(void)err;
	hetzner_budget_reserve(probe->hetzner, (uint64_t)number(probe->words[1]));
	return 0;
}

static int run_budget(struct probe *probe, struct error *err)
{
	struct hetzner_budget budget;

	(void)err;
	hetzner_budget(probe->hetzner, &budget);
	buf_appendf(&probe->said, " %" PRIu64 " of %" PRIu64 ", skew %" PRId64 " s",
		    budget.remaining, budget.limit, budget.clock_skew_ms / 1000);
	return 0;
}

static int obey(struct probe *probe, struct error *err)
{
#define X(name, words_min)                                                   \
	if (str_eq(probe->words[0], #name) && probe->count >= (words_min)) { \
		if (run_##name(probe, err) < 0)                              \
			return -1;                                           \
		return 0;                                                    \
	}
	COMMANDS(X)
#undef X
	return error_set(err, ERR_INVALID, "no such command, or too few words");
}

/* Returns the exit code. */
static int run(struct probe *probe, char *line)
{
	char *words[WORDS_MAX + 1] = {NULL};
	char *rest = line;
	struct error err = {0};
	bool waits = false;
	int result;

	probe->count = 0;
	for (char *word = strsep(&rest, " "); word != NULL && probe->count < WORDS_MAX;
	     word = strsep(&rest, " ")) {
		if (probe->count == 0 && str_eq(word, "finish"))
			waits = true;
		else
			words[probe->count++] = word;
	}
	probe->words = words;
	probe->actions = (struct hetzner_actions){0};
	buf_clear(&probe->said);
	result = probe->count > 0 ? obey(probe, &err) : error_set(&err, ERR_INVALID, "no command");
	if (result == 0 && waits)
		result = hetzner_actions_wait(probe->hetzner, &probe->actions, &err);
	if (result == 0)
		(void)printf("ok %s%.*s", words[0], (int)probe->said.bytes, probe->said.data);
	else
		(void)printf("error %s %s: %s; %s%.*s", words[0],
			     hetzner_last_failure(probe->hetzner)->outcome_unknown ? "unknown"
										   : "refused",
			     err.msg, err.hint, (int)probe->said.bytes, probe->said.data);
	for (size_t i = 0; i < probe->actions.count && !waits; i++)
		(void)printf(" action=%" PRId64, probe->actions.ids[i]);
	(void)printf("\n");
	(void)fflush(stdout);
	return result == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	const struct sigaction action = {.sa_handler = on_signal};
	const char *token = getenv("HCLOUD_TOKEN");
	CLEANUP(cleanup_hetzner) struct hetzner *hetzner = NULL;
	struct probe probe = {0};
	struct error err;
	int code = 0;

	(void)sigaction(SIGTERM, &action, NULL);
	const struct hetzner_options options = {
		.token = token != NULL ? token : "",
		.endpoint = getenv("HCLOUD_ENDPOINT"),
		.request_timeout_ms = setting("CLIENT_TIMEOUT_MS"),
		.action_timeout_ms = setting("CLIENT_ACTION_TIMEOUT_MS"),
		.backoff_ms = setting("CLIENT_BACKOFF_MS"),
	};
	if (hetzner_new(&options, &hetzner, &err) < 0) {
		(void)printf("error new refused: %s; %s\n", err.msg, err.hint);
		return 1;
	}
	hetzner_interrupt_on(hetzner, was_interrupted, NULL);
	probe.hetzner = hetzner;
	buf_init(&probe.said, SAID_BYTES);
	for (int i = 1; i < argc; i++)
		code |= run(&probe, argv[i]);
	buf_release(&probe.said);
	return code;
}
