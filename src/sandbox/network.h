/* The network of a job that asked for one: a namespace per slot, joined to this machine by a pair
 * of virtual interfaces, from which only the public internet is reachable. Private, link-local
 * (metadata) and reserved ranges, this machine itself and other jobs are refused by nftables rules
 * that jobs cannot touch. If the rules do not load, there is no network. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct networks;

/* A port of one machine. */
struct network_endpoint {
	uint32_t address;
	uint16_t port;
};
#define NETWORK_ENDPOINTS_MAX 4

/* `name` names the table of rules; one left by an earlier process of that name is removed.
 * `directory` is where namespaces are bound, in a mount namespace of ours. Never fails: see
 * networks_usable. */
struct networks *networks_open(const char *name, const char *directory, size_t slots, bool is_root);
/* Before the first network_get: what of the public internet is refused to jobs as well. */
void networks_keep_from(struct networks *networks, const struct network_endpoint *endpoints,
			size_t count);
void networks_free(struct networks *networks); /* NULL is fine */
/* NULL, or why there is none on this machine. */
const char *networks_missing(const struct networks *networks);

/* The slot's namespace, made at its first use: a path to join, borrowed. */
MUST_CHECK int network_get(struct networks *networks, size_t slot, const char **ret_path,
			   struct error *err);
/* A resolv.conf with public resolvers for it, borrowed. */
const char *networks_resolv_conf(const struct networks *networks);
