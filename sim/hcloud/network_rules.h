/* What may be in a network, and which addresses it gives out. Pure: ranges, subnets, routes and
 * taken addresses in, a decision out. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hcloud/ip_text.h"
#include "hcloud/problem.h"

#define NETWORK_SUBNETS_MAX 50
#define NETWORK_ROUTES_MAX  100
#define NETWORK_SERVERS_MAX 100
#define SERVER_NETWORKS_MAX 3
#define SERVER_ALIASES_MAX  5

enum subnet_type { SUBNET_CLOUD = 1, SUBNET_SERVER, SUBNET_VSWITCH };

struct subnet {
	struct ipv4_range range;
	enum subnet_type type;
	const char *zone;   /* borrowed */
	int64_t vswitch_id; /* 0: of another type */
};

struct network_route {
	struct ipv4_range destination;
	uint32_t gateway;
};

struct network_plan {
	struct ipv4_range range;
	struct subnet subnets[NETWORK_SUBNETS_MAX];
	size_t subnet_count;
	struct network_route routes[NETWORK_ROUTES_MAX];
	size_t route_count;
};

/* The first address of the whole network, also for every subnet. */
uint32_t network_gateway(const struct network_plan *plan);

/* RFC 1918 and at least a /24. */
MUST_CHECK int network_check_range(const struct ipv4_range *range, struct problem *problem);
/* The range may only grow, from the same start. */
MUST_CHECK int network_check_growth(const struct network_plan *plan, const struct ipv4_range *range,
				    struct problem *problem);
/* One more subnet is allowed. */
MUST_CHECK int network_check_subnet_count(const struct network_plan *plan, struct problem *problem);
/* One more, within the network, at least a /30, apart from subnets and the destinations of routes.
 */
MUST_CHECK int network_check_subnet(const struct network_plan *plan, const struct ipv4_range *range,
				    struct problem *problem);
/* The first /24 that could be a subnet; the whole of a network that is a /24 itself. False when
 * there is none. */
bool network_free_subnet(const struct network_plan *plan, struct ipv4_range *ret);
MUST_CHECK int network_check_route(const struct network_plan *plan,
				   const struct network_route *route, struct problem *problem);

/* Which addresses are taken, in any order. */
struct taken_ips {
	const uint32_t *ips;
	size_t count;
};

/* Never given to a server: the network's first, the first and last of its subnet, 172.31.1.1. */
bool network_ip_is_reserved(const struct network_plan *plan, uint32_t ip);
/* Which address a server gets that asks for none: nothing documents it, and clients have seen
 * several. */
enum ip_order {
	IP_ORDER_LOWEST = 1,  /* the lowest free one of the first subnet that has one */
	IP_ORDER_RANDOM,      /* any of that subnet */
	IP_ORDER_NEXT,	      /* of that subnet, the next free one after the highest taken */
	IP_ORDER_LAST_SUBNET, /* the lowest free one of the subnet that was added last */
};

/* What a server that joins wants. */
struct ip_wish {
	enum ip_order order;
	uint64_t random;  /* for IP_ORDER_RANDOM: where to begin */
	const char *zone; /* of the server */
	bool has_ip;	  /* this address … */
	uint32_t ip;
	bool has_range; /* … or any of this subnet */
	struct ipv4_range range;
};
/* The address that a server gets: the one wished for, or, in that order, a free one of a subnet
 * that is for servers, in the server's zone and not full. no_subnet_available, ip_not_available or
 * invalid_input otherwise. */
MUST_CHECK int network_assign_ip(const struct network_plan *plan, const struct ip_wish *wish,
				 const struct taken_ips *taken, uint32_t *ret,
				 struct problem *problem);
/* The subnet that an address is of, or NULL. */
const struct subnet *network_subnet_of(const struct network_plan *plan, uint32_t ip);
