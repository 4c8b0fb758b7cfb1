/* The network of a job that asked for one: a namespace per slot, joined to this machine by a pair
 * of virtual interfaces, from which only the public internet is reachable. Private, link-local
 * (metadata) and reserved ranges, this machine itself and other jobs are refused by nftables rules
 * that jobs cannot touch. If the rules do not load, there is no network. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct networks;

/* `name` names the table of rules; one left by an earlier process of that name is removed.
 * `directory` is where namespaces are bound, in a mount namespace of ours. Never fails: see
 * networks_usable. */
struct networks *networks_open(const char *name, const char *directory, size_t slots, bool is_root);
void networks_free(struct networks *networks); /* NULL is fine */
/* NULL, or why there is none on this machine. */
const char *networks_missing(const struct networks *networks);

/* The slot's namespace, made at its first use: a path to join, borrowed. */
MUST_CHECK int network_get(struct networks *networks, size_t slot, const char **ret_path,
			   struct error *err);
/* A resolv.conf with public resolvers for it, borrowed. */
const char *networks_resolv_conf(const struct networks *networks);
