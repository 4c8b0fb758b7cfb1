/* The Hetzner Cloud API, version 1, as RGrid uses it: networks, servers, actions, ssh keys,
 * firewalls, placement groups, server types with their prices, locations, images.
 *
 * Calls block, each under its own deadline; hetzner_servers_create and hetzner_servers_delete keep
 * several requests in flight. One client belongs to one thread and one project (the token's).
 *
 * Invariants: a listing is complete or an error, never short. A request that changes something is
 * sent again only when the first one certainly had no effect. Lists that are returned belong to the
 * caller (hetzner_..._list_release). Replies are hostile bytes: every field is checked and bounded.
 * The token appears in no message and no log line. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

#define HETZNER_ENDPOINT	    "https://api.hetzner.cloud/v1"
#define HETZNER_NAME_BYTES	    128
#define HETZNER_LABELS_MAX	    32
#define HETZNER_LABEL_BYTES	    320 /* key with its prefix; values are shorter */
#define HETZNER_NETWORKS_MAX	    3	/* of one server */
#define HETZNER_USER_DATA_MAX	    (32 * 1024)
#define HETZNER_NETWORK_SERVERS_MAX 100
#define HETZNER_GROUP_SERVERS_MAX   10
#define HETZNER_GROUPS_MAX	    50 /* placement groups of a project */
#define HETZNER_FIREWALLS_MAX	    5
#define HETZNER_IP_BYTES	    48
#define HETZNER_CIDR_BYTES	    56

/* What the API said about the last call that failed; callers branch on it, the user is told
 * struct error. Names of the API: hetzner-cloud error codes; UNKNOWN for any other. */
enum hetzner_code {
	HETZNER_OK = 0,
#define X(name, text, error, advice) HETZNER_##name,
#include "cloud/hetzner_codes.def"
#undef X
	HETZNER_CODE_MAX
};

struct hetzner_failure {
	enum hetzner_code code;
	long http_status;	 /* 0 without an answer */
	bool outcome_unknown;	 /* the request may have had its effect: look before asking again */
	char correlation_id[64]; /* to quote to Hetzner's support; "" if none came */
	char message[256];	 /* the API's own words */
};

struct hetzner;

struct hetzner_options {
	const char *token;	     /* copied */
	const char *endpoint;	     /* NULL: HETZNER_ENDPOINT */
	const char *ca_file;	     /* NULL: the system's */
	uint64_t request_timeout_ms; /* 0: 30 s */
	uint64_t action_timeout_ms;  /* 0: 10 min; for hetzner_actions_wait */
	bool allow_plain_http;	     /* else http:// is for loopback only: it shows the token */
	uint64_t backoff_ms;	     /* 0: 500; before the first retry, doubled for each other */
};

MUST_CHECK int hetzner_new(const struct hetzner_options *options, struct hetzner **ret,
			   struct error *err);
/* Token from HETZNER_API_TOKEN or HCLOUD_TOKEN, endpoint from HCLOUD_ENDPOINT;
 * HETZNER_PLAIN_HTTP_ENV=yes is allow_plain_http. ERR_UNAUTHENTICATED with a hint when there is no
 * token. */
#define HETZNER_PLAIN_HTTP_ENV "RGRID_HETZNER_PLAIN_HTTP"
MUST_CHECK int hetzner_new_from_environment(struct hetzner **ret, struct error *err);
void hetzner_free(struct hetzner *hetzner);
void cleanup_hetzner(struct hetzner **hetzner);
/* Asked before each try, while waiting and while a request is on its way; true ends the call with
 * ERR_TIMEOUT within a tenth of a second. NULL, as at first: nothing interrupts. */
void hetzner_interrupt_on(struct hetzner *hetzner, bool (*is_interrupted)(void *context),
			  void *context);

/* Of the last call on this client; code HETZNER_OK when it succeeded. */
const struct hetzner_failure *hetzner_last_failure(const struct hetzner *hetzner);

/* The request budget as the last answer told it. Requests that only create or look are held back
 * (ERR_RATE_LIMITED) when fewer than `reserve` are left, so that deletes always go through. */
struct hetzner_budget {
	uint64_t limit, remaining; /* requests; 0, 0 before the first answer */
	uint64_t reserve;
	int64_t clock_skew_ms; /* the API's Date minus our clock, at the last answer */
};
void hetzner_budget(const struct hetzner *hetzner, struct hetzner_budget *ret);
void hetzner_budget_reserve(struct hetzner *hetzner, uint64_t reserve);

struct hetzner_label {
	char key[HETZNER_LABEL_BYTES];
	char value[64];
};
struct hetzner_labels {
	struct hetzner_label items[HETZNER_LABELS_MAX];
	size_t count;
	/* Those that found no room: a resource may have any number, of any length. RGrid's own are
	 * kept first. Labels with a gap are never sent, or the others would be lost. */
	size_t omitted;
};
/* NULL when there is none. */
const char *hetzner_label_get(const struct hetzner_labels *labels, const char *key);
/* CHECKs the key's length; a value is cut and cleaned to what the API takes. */
void hetzner_label_set(struct hetzner_labels *labels, const char *key, const char *value);

/* Actions */

#define HETZNER_ACTIONS_MAX 16
/* What a change has set going. */
struct hetzner_actions {
	int64_t ids[HETZNER_ACTIONS_MAX];
	size_t count;
};
/* Until all have ended; ids are asked for in batches of 25. The first that fails is the error, with
 * its command, code and message. */
MUST_CHECK int hetzner_actions_wait(struct hetzner *hetzner, const struct hetzner_actions *actions,
				    struct error *err);
/* One look at many actions at once. */
enum hetzner_action_status {
	HETZNER_ACTION_RUNNING = 1,
	HETZNER_ACTION_SUCCESS,
	HETZNER_ACTION_ERROR
};
struct hetzner_action {
	int64_t id;
	enum hetzner_action_status status;
	uint64_t progress_percent;
	char command[64];
	char error_code[64];
	char error_message[256];
};
/* ret[count], in the order of ids; an id that the answer lacks is ERR_NOT_FOUND. */
MUST_CHECK int hetzner_actions_get(struct hetzner *hetzner, const int64_t *ids, size_t count,
				   struct hetzner_action *ret, struct error *err);

/* Networks */

struct hetzner_subnet {
	char ip_range[HETZNER_CIDR_BYTES];
	char network_zone[32];
	char type[16]; /* "cloud", "server", "vswitch" */
	char gateway[HETZNER_IP_BYTES];
};
struct hetzner_route {
	char destination[HETZNER_CIDR_BYTES];
	char gateway[HETZNER_IP_BYTES];
};
struct hetzner_network {
	int64_t id;
	char name[HETZNER_NAME_BYTES];
	char ip_range[HETZNER_CIDR_BYTES];
	struct hetzner_subnet *subnets;
	size_t subnet_count;
	struct hetzner_route *routes;
	size_t route_count;
	int64_t *server_ids;
	size_t server_count;
	struct hetzner_labels labels;
	bool delete_protected;
	int64_t created_us; /* since 1970 */
};
struct hetzner_network_list {
	struct hetzner_network *items;
	size_t count;
};
void hetzner_network_list_release(struct hetzner_network_list *list);
#define cleanup_hetzner_network_list hetzner_network_list_release

/* name and label_selector may be NULL. */
MUST_CHECK int hetzner_networks_list(struct hetzner *hetzner, const char *name,
				     const char *label_selector, struct hetzner_network_list *ret,
				     struct error *err);
/* A list of the one. ERR_NOT_FOUND. */
MUST_CHECK int hetzner_network_get(struct hetzner *hetzner, int64_t id,
				   struct hetzner_network_list *ret, struct error *err);
MUST_CHECK int hetzner_network_create(struct hetzner *hetzner, const char *name,
				      const char *ip_range, const struct hetzner_labels *labels,
				      int64_t *ret_id, struct error *err);
/* Replaces all labels, as the API does. */
MUST_CHECK int hetzner_network_set_labels(struct hetzner *hetzner, int64_t id,
					  const struct hetzner_labels *labels, struct error *err);
/* Absent is fine. */
MUST_CHECK int hetzner_network_delete(struct hetzner *hetzner, int64_t id, struct error *err);
MUST_CHECK int hetzner_network_add_subnet(struct hetzner *hetzner, int64_t network_id,
					  const char *ip_range, const char *network_zone,
					  struct hetzner_actions *ret, struct error *err);
MUST_CHECK int hetzner_network_delete_subnet(struct hetzner *hetzner, int64_t network_id,
					     const char *ip_range, struct hetzner_actions *ret,
					     struct error *err);
MUST_CHECK int hetzner_network_add_route(struct hetzner *hetzner, int64_t network_id,
					 const char *destination, const char *gateway,
					 struct hetzner_actions *ret, struct error *err);
MUST_CHECK int hetzner_network_delete_route(struct hetzner *hetzner, int64_t network_id,
					    const char *destination, const char *gateway,
					    struct hetzner_actions *ret, struct error *err);

/* Servers */

enum hetzner_server_status {
	HETZNER_SERVER_UNKNOWN = 1,
	HETZNER_SERVER_INITIALIZING,
	HETZNER_SERVER_STARTING,
	HETZNER_SERVER_RUNNING,
	HETZNER_SERVER_STOPPING,
	HETZNER_SERVER_OFF,
	HETZNER_SERVER_DELETING,
	HETZNER_SERVER_MIGRATING,
	HETZNER_SERVER_REBUILDING,
};
struct hetzner_private_net {
	int64_t network_id;
	char ip[HETZNER_IP_BYTES];
	char mac_address[18];
};
struct hetzner_server {
	int64_t id;
	char name[HETZNER_NAME_BYTES];
	enum hetzner_server_status status;
	bool locked;
	int64_t created_us; /* the anchor of its paid hours */
	char server_type[32];
	char location[32];
	char network_zone[32];
	char public_ipv4[HETZNER_IP_BYTES]; /* "" without */
	char public_ipv6[HETZNER_CIDR_BYTES];
	struct hetzner_private_net private_nets[HETZNER_NETWORKS_MAX];
	size_t private_net_count;
	int64_t placement_group_id; /* 0: none */
	struct hetzner_labels labels;
};
struct hetzner_server_list {
	struct hetzner_server *items;
	size_t count;
};
void hetzner_server_list_release(struct hetzner_server_list *list);
#define cleanup_hetzner_server_list hetzner_server_list_release

/* How many requests a list of so many servers costs. */
uint64_t hetzner_listing_requests(size_t count);
/* name and label_selector may be NULL. */
MUST_CHECK int hetzner_servers_list(struct hetzner *hetzner, const char *name,
				    const char *label_selector, struct hetzner_server_list *ret,
				    struct error *err);
MUST_CHECK int hetzner_server_get(struct hetzner *hetzner, int64_t id, struct hetzner_server *ret,
				  struct error *err);

struct hetzner_server_request {
	const char *name;
	const char *server_type;
	const char *image; /* name, or a number as text: a snapshot */
	const char *location;
	const char *user_data; /* NULL: none */
	const struct hetzner_labels *labels;
	const int64_t *network_ids;
	size_t network_count;
	const int64_t *firewall_ids;
	size_t firewall_count;
	const int64_t *ssh_key_ids;
	size_t ssh_key_count;
	int64_t placement_group_id; /* 0: none */
	bool public_ipv4, public_ipv6;
	bool start_after_create;
};
/* The answer to one of several creations or deletions. */
struct hetzner_outcome {
	int result;			/* 0 or -1, as of a call of its own */
	struct hetzner_server server;	/* of a creation; private_nets may still be empty */
	struct hetzner_actions actions; /* create_server and every next action; delete_server */
	struct hetzner_failure failure;
	struct error err;
};
#define HETZNER_IN_FLIGHT_MAX 8
/* Sends count requests, at most HETZNER_IN_FLIGHT_MAX at a time; outcomes[count]. Each succeeds or
 * fails for itself. */
void hetzner_servers_create(struct hetzner *hetzner, const struct hetzner_server_request *requests,
			    size_t count, struct hetzner_outcome *outcomes);
/* A server that is not there counts as deleted. */
void hetzner_servers_delete(struct hetzner *hetzner, const int64_t *ids, size_t count,
			    struct hetzner_outcome *outcomes);
MUST_CHECK int hetzner_server_create(struct hetzner *hetzner,
				     const struct hetzner_server_request *request,
				     struct hetzner_server *ret,
				     struct hetzner_actions *ret_actions, struct error *err);
MUST_CHECK int hetzner_server_delete(struct hetzner *hetzner, int64_t id,
				     struct hetzner_actions *ret_actions, struct error *err);
/* "poweron", "poweroff", "shutdown", "reboot", "reset". */
MUST_CHECK int hetzner_server_power(struct hetzner *hetzner, int64_t id, const char *action,
				    struct hetzner_actions *ret, struct error *err);
/* ip: NULL lets Hetzner choose. */
MUST_CHECK int hetzner_server_attach_to_network(struct hetzner *hetzner, int64_t server_id,
						int64_t network_id, const char *ip,
						struct hetzner_actions *ret, struct error *err);
MUST_CHECK int hetzner_server_detach_from_network(struct hetzner *hetzner, int64_t server_id,
						  int64_t network_id, struct hetzner_actions *ret,
						  struct error *err);
/* Replaces all labels, as the API does. */
MUST_CHECK int hetzner_server_set_labels(struct hetzner *hetzner, int64_t id,
					 const struct hetzner_labels *labels, struct error *err);
/* A snapshot of the server's disk. */
MUST_CHECK int hetzner_server_create_image(struct hetzner *hetzner, int64_t id,
					   const char *description,
					   const struct hetzner_labels *labels,
					   int64_t *ret_image_id, struct hetzner_actions *ret,
					   struct error *err);

/* What else there is */

/* Money is integer micro-euros, net, of one started hour or one month. */
struct hetzner_price {
	char location[32];
	int64_t hourly_micros;
	int64_t monthly_micros;
	bool deprecated;	/* withdrawn or about to be at this location */
	int64_t unavailable_us; /* since 1970: no more orders from then on; 0: not told */
	bool available;		/* the API's word, which predicts little */
};
#define HETZNER_PRICES_MAX 16
struct hetzner_server_type {
	int64_t id;
	char name[32];
	char architecture[16]; /* "x86", "arm" */
	uint64_t cores;
	uint64_t memory_bytes;
	uint64_t disk_bytes;
	struct hetzner_price prices[HETZNER_PRICES_MAX]; /* one for each location it is sold at */
	size_t price_count;
};
struct hetzner_server_type_list {
	struct hetzner_server_type *items;
	size_t count;
};
void hetzner_server_type_list_release(struct hetzner_server_type_list *list);
#define cleanup_hetzner_server_type_list hetzner_server_type_list_release
MUST_CHECK int hetzner_server_types_list(struct hetzner *hetzner,
					 struct hetzner_server_type_list *ret, struct error *err);

struct hetzner_location {
	int64_t id;
	char name[32];
	char network_zone[32];
};
struct hetzner_location_list {
	struct hetzner_location *items;
	size_t count;
};
void hetzner_location_list_release(struct hetzner_location_list *list);
#define cleanup_hetzner_location_list hetzner_location_list_release
MUST_CHECK int hetzner_locations_list(struct hetzner *hetzner, struct hetzner_location_list *ret,
				      struct error *err);

/* Prices that are not a server type's. primary_ipv4 differs by location: prices[]. */
struct hetzner_pricing {
	char currency[8];
	struct hetzner_price primary_ipv4[HETZNER_PRICES_MAX];
	size_t primary_ipv4_count;
};
MUST_CHECK int hetzner_pricing_get(struct hetzner *hetzner, struct hetzner_pricing *ret,
				   struct error *err);

struct hetzner_image {
	int64_t id;
	char name[64];	       /* "" for snapshots */
	char description[256]; /* cut, if it is longer */
	char type[16];	       /* "system", "snapshot", … */
	char status[16];       /* "available", "creating", "unavailable" */
	char architecture[16];
	struct hetzner_labels labels;
	int64_t created_us;
	int64_t deprecated_us; /* since when it is on its way out; 0: it is not */
};
struct hetzner_image_list {
	struct hetzner_image *items;
	size_t count;
};
void hetzner_image_list_release(struct hetzner_image_list *list);
#define cleanup_hetzner_image_list hetzner_image_list_release
/* Deprecated ones as well. type, name, label_selector may be NULL. */
MUST_CHECK int hetzner_images_list(struct hetzner *hetzner, const char *type, const char *name,
				   const char *label_selector, struct hetzner_image_list *ret,
				   struct error *err);
MUST_CHECK int hetzner_image_delete(struct hetzner *hetzner, int64_t id, struct error *err);

struct hetzner_named {
	int64_t id;
	char name[HETZNER_NAME_BYTES];
	char fingerprint[64]; /* of an ssh key */
	size_t server_count;  /* of a placement group */
	struct hetzner_labels labels;
};
struct hetzner_named_list {
	struct hetzner_named *items;
	size_t count;
};
void hetzner_named_list_release(struct hetzner_named_list *list);
#define cleanup_hetzner_named_list hetzner_named_list_release
/* By name, else by number, as users write either; borrowed, NULL when there is none. */
const struct hetzner_named *hetzner_named_find(const struct hetzner_named_list *list,
					       const char *name_or_id);
MUST_CHECK int hetzner_ssh_keys_list(struct hetzner *hetzner, const char *name,
				     struct hetzner_named_list *ret, struct error *err);
MUST_CHECK int hetzner_ssh_key_create(struct hetzner *hetzner, const char *name,
				      const char *public_key, const struct hetzner_labels *labels,
				      int64_t *ret_id, struct error *err);
MUST_CHECK int hetzner_ssh_key_delete(struct hetzner *hetzner, int64_t id, struct error *err);
MUST_CHECK int hetzner_firewalls_list(struct hetzner *hetzner, const char *name,
				      struct hetzner_named_list *ret, struct error *err);
/* One that lets nothing in. */
MUST_CHECK int hetzner_firewall_create(struct hetzner *hetzner, const char *name,
				       const struct hetzner_labels *labels, int64_t *ret_id,
				       struct error *err);
MUST_CHECK int hetzner_firewall_delete(struct hetzner *hetzner, int64_t id, struct error *err);
MUST_CHECK int hetzner_placement_groups_list(struct hetzner *hetzner, const char *label_selector,
					     struct hetzner_named_list *ret, struct error *err);
MUST_CHECK int hetzner_placement_group_create(struct hetzner *hetzner, const char *name,
					      const struct hetzner_labels *labels, int64_t *ret_id,
					      struct error *err);
MUST_CHECK int hetzner_placement_group_delete(struct hetzner *hetzner, int64_t id,
					      struct error *err);
