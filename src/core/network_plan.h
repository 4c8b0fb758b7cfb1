/* The private network's decision, pure: what is wished and what is seen in, steps or a refusal out.
 *
 * The shell does the first step, looks again, and asks again until there are no steps left: so it
 * does not matter what became of a request whose answer was lost, nor where an earlier run was
 * killed. A refusal comes before the first step: nothing is begun that cannot be ended.
 *
 * Nothing is touched that is not ours (core/label.h), and nobody's connection is cut unless the
 * user says so (force). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "core/ipv4.h"

#define NETWORK_DEFAULT_NAME   "rgrid-private"
#define NETWORK_DEFAULT_RANGE  "10.0.0.0/16"
#define NETWORK_DEFAULT_SUBNET "10.0.1.0/24"
#define NETWORK_DEFAULT_IP     "10.0.1.2"

#define NETWORK_SUBNETS_MAX 50	/* of one network, the provider's limit */
#define NETWORK_ROUTES_MAX  100 /* looked at */
#define NETWORK_MEMBERS_MAX 100 /* of one network, the provider's limit */
#define NETWORKS_OF_SERVER  3	/* the provider's limit */

struct network_wish {
	const char *name;
	const char *ip_range; /* of the network */
	const char *subnet;
	const char *ip; /* of this server */
	bool adopt;	/* a network of that name that is not ours may become ours */
	bool force;	/* this server may be cut off while others use the network */
};

/* All strings are borrowed; none is NULL. */
struct network_seen_subnet {
	const char *ip_range;
	const char *zone;
	const char *type; /* "cloud", "server", "vswitch" */
};

struct network_seen {
	bool exists; /* a network of that name; what is told about it holds only then */
	bool ours;
	bool delete_protected;
	const char *ip_range;
	struct network_seen_subnet subnets[NETWORK_SUBNETS_MAX];
	size_t subnet_count;
	const char *routes[NETWORK_ROUTES_MAX]; /* their destinations */
	size_t route_count;
	size_t other_count;	 /* servers in it besides this one */
	const char *holder;	 /* the other server that has the wished address; "" none */
	const char *server;	 /* this server's name */
	const char *zone;	 /* this server's network zone */
	const char *attached_ip; /* this server's address in it; "": not attached */
	size_t network_count;	 /* other networks that this server is in */
	const char *overlapping; /* one of these with a range that overlaps the wish; "" none */
};

enum network_step_kind {
	NETWORK_CREATE = 1,
	NETWORK_ADOPT,
	NETWORK_DELETE_SUBNET,
	NETWORK_ADD_SUBNET,
	NETWORK_DETACH,
	NETWORK_ATTACH,
	NETWORK_DELETE,
	NETWORK_STEP_KIND_MAX
};
const char *network_step_name(enum network_step_kind kind); /* "add-subnet" */

#define NETWORK_REASON_BYTES 192
struct network_step {
	int rule;
	enum network_step_kind kind;
	char reason[NETWORK_REASON_BYTES];
};

#define NETWORK_STEPS_MAX 8
struct network_plan {
	struct network_step steps[NETWORK_STEPS_MAX];
	size_t count;
};

/* Whether the wish could be had at all: ranges that are private, large enough, inside one another,
 * an address that can be assigned. ERR_INVALID names the option. */
MUST_CHECK int network_wish_check(const struct network_wish *wish, struct error *err);

/* The steps from what is seen to the wish; none when all is as it should be. ERR_CONFLICT or
 * ERR_LIMIT with a hint when that cannot be done. The wish has been checked. */
MUST_CHECK int network_plan_setup(const struct network_wish *wish, const struct network_seen *seen,
				  struct network_plan *ret, struct error *err);
/* The steps that delete the network; none when there is none. Refused when it is not ours or other
 * servers are in it. */
MUST_CHECK int network_plan_delete(const struct network_wish *wish, const struct network_seen *seen,
				   struct network_plan *ret, struct error *err);
