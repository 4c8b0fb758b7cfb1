/* An order for a server: the body of POST /servers, read and checked against everything there is.
 * Nothing is changed before all of it is known to be possible. */
#pragma once

#include "hcloud/call.h"
#include "hcloud/network_rules.h"

#define SERVER_FIREWALLS_MAX 5

struct server_order {
	const char *name;
	const json_t *labels;	 /* or NULL */
	const json_t *user_data; /* text, or NULL */
	const json_t *type;
	const json_t *image;
	const json_t *location;
	json_t *ssh_keys; /* array of public keys as text; owned */
	json_t *networks[SERVER_NETWORKS_MAX];
	size_t network_count;
	json_t *firewalls[SERVER_FIREWALLS_MAX];
	size_t firewall_count;
	const json_t *placement_group; /* or NULL */
	bool has_ipv4;
	bool has_ipv6;
	json_t *ipv4; /* an address that there is already, or NULL: a new one */
	json_t *ipv6;
	bool starts;
};

MUST_CHECK int server_order_read(struct call *call, struct server_order *ret);
void server_order_release(struct server_order *order);
/* Type, image, location and what faults say of them: for orders, rebuilds and changes of type. */
MUST_CHECK int server_check_available(struct call *call, const json_t *type, const char *location);
/* image and type of one architecture, the image's disk not bigger. */
MUST_CHECK int server_check_image(struct call *call, const json_t *image, const json_t *type);
