#include "hcloud/network_rules.h"

#include "base/str.h"

#define RANGE_PREFIX_MAX   24U
#define SUBNET_PREFIX_MAX  30U
#define SUBNET_PREFIX_AUTO 24U
#define SUBNET_STEP	   256U
/* The gateway of the public interface. */
#define PUBLIC_GATEWAY 0xac1f0101U

uint32_t network_gateway(const struct network_plan *plan)
{
	return plan->range.first + 1;
}

int network_check_range(const struct ipv4_range *range, struct problem *problem)
{
	if (!ipv4_range_is_private(*range))
		return problem_invalid(problem, "ip_range",
				       "must be one of the private ranges of RFC1918");
	if (range->prefix > RANGE_PREFIX_MAX)
		return problem_invalid(problem, "ip_range", "must be at least a /%u network",
				       RANGE_PREFIX_MAX);
	return 0;
}

int network_check_growth(const struct network_plan *plan, const struct ipv4_range *range,
			 struct problem *problem)
{
	if (network_check_range(range, problem) < 0)
		return -1;
	if (range->first != plan->range.first || range->prefix > plan->range.prefix)
		return problem_invalid(problem, "ip_range",
				       "the network can only be extended, from the same start");
	return 0;
}

int network_check_subnet_count(const struct network_plan *plan, struct problem *problem)
{
	if (plan->subnet_count < NETWORK_SUBNETS_MAX)
		return 0;
	return problem_named(problem, PROBLEM_RESOURCE_LIMIT_EXCEEDED, "network_subnets_limit",
			     "subnet limit exceeded");
}

int network_check_subnet(const struct network_plan *plan, const struct ipv4_range *range,
			 struct problem *problem)
{
	if (network_check_subnet_count(plan, problem) < 0)
		return -1;
	if (range->prefix > SUBNET_PREFIX_MAX)
		return problem_invalid(problem, "ip_range", "must be at least a /%u network",
				       SUBNET_PREFIX_MAX);
	if (!ipv4_range_is_within(*range, plan->range))
		return problem_invalid(problem, "ip_range",
				       "must be a part of the network's range");
	for (size_t i = 0; i < plan->subnet_count; i++) {
		if (ipv4_range_overlaps(plan->subnets[i].range, *range))
			return problem_invalid(problem, "ip_range", "overlaps with another subnet");
	}
	for (size_t i = 0; i < plan->route_count; i++) {
		if (plan->routes[i].destination.prefix > 0 &&
		    ipv4_range_overlaps(plan->routes[i].destination, *range))
			return problem_invalid(problem, "ip_range",
					       "overlaps with the destination of a route");
	}
	return 0;
}

bool network_free_subnet(const struct network_plan *plan, struct ipv4_range *ret)
{
	struct ipv4_range range = {plan->range.first, SUBNET_PREFIX_AUTO};
	struct problem problem;

	for (uint64_t at = plan->range.first; at <= ipv4_range_last(plan->range);
	     at += SUBNET_STEP) {
		range.first = (uint32_t)at;
		if (network_check_subnet(plan, &range, &problem) == 0) {
			*ret = range;
			return true;
		}
	}
	return false;
}

static int check_gateway(const struct network_plan *plan, uint32_t gateway, struct problem *problem)
{
	if (gateway == network_gateway(plan) || gateway == PUBLIC_GATEWAY)
		return problem_invalid(problem, "gateway", "is a reserved address");
	if (!ipv4_range_has(plan->range, gateway))
		return problem_invalid(problem, "gateway", "must be a part of the network's range");
	const struct subnet *subnet = network_subnet_of(plan, gateway);
	if (subnet && subnet->type == SUBNET_VSWITCH)
		return problem_invalid(problem, "gateway", "must not be behind a vSwitch");
	return 0;
}

int network_check_route(const struct network_plan *plan, const struct network_route *route,
			struct problem *problem)
{
	const struct ipv4_range *destination = &route->destination;
	bool is_default = destination->prefix == 0;

	if (plan->route_count >= NETWORK_ROUTES_MAX)
		return problem_named(problem, PROBLEM_RESOURCE_LIMIT_EXCEEDED,
				     "network_routes_limit", "route limit exceeded");
	if (!is_default && !ipv4_range_is_private(*destination))
		return problem_invalid(problem, "destination",
				       "must be 0.0.0.0/0 or of the private ranges of RFC1918");
	if (!is_default && ipv4_range_has(*destination, PUBLIC_GATEWAY))
		return problem_invalid(problem, "destination", "contains a reserved address");
	for (size_t i = 0; !is_default && i < plan->subnet_count; i++) {
		if (ipv4_range_overlaps(plan->subnets[i].range, *destination))
			return problem_invalid(problem, "destination", "overlaps with a subnet");
	}
	for (size_t i = 0; i < plan->route_count; i++) {
		const struct ipv4_range *other = &plan->routes[i].destination;
		bool same_kind = is_default == (other->prefix == 0);

		if (same_kind && ipv4_range_overlaps(*other, *destination))
			return problem_invalid(problem, "destination",
					       "overlaps with another route");
	}
	return check_gateway(plan, route->gateway, problem);
}

const struct subnet *network_subnet_of(const struct network_plan *plan, uint32_t ip)
{
	for (size_t i = 0; i < plan->subnet_count; i++) {
		if (ipv4_range_has(plan->subnets[i].range, ip))
			return &plan->subnets[i];
	}
	return NULL;
}

bool network_ip_is_reserved(const struct network_plan *plan, uint32_t ip)
{
	if (ip == network_gateway(plan) || ip == PUBLIC_GATEWAY)
		return true;
	for (size_t i = 0; i < plan->subnet_count; i++) {
		const struct ipv4_range *range = &plan->subnets[i].range;

		if (ip == range->first || ip == ipv4_range_last(*range))
			return true;
	}
	return false;
}

static bool is_taken(const struct taken_ips *taken, uint32_t ip)
{
	for (size_t i = 0; i < taken->count; i++) {
		if (taken->ips[i] == ip)
			return true;
	}
	return false;
}

static bool is_for_servers(const struct subnet *subnet, const char *zone)
{
	return subnet->type != SUBNET_VSWITCH && str_eq(subnet->zone, zone);
}

/* Where in the subnet the search for a free address begins. */
static uint64_t find_begin(const struct subnet *subnet, const struct ip_wish *wish,
			   const struct taken_ips *taken)
{
	uint32_t highest = subnet->range.first;

	if (wish->order == IP_ORDER_RANDOM)
		return wish->random;
	if (wish->order != IP_ORDER_NEXT)
		return 0;
	for (size_t i = 0; i < taken->count; i++) {
		if (ipv4_range_has(subnet->range, taken->ips[i]) && taken->ips[i] > highest)
			highest = taken->ips[i];
	}
	return (uint64_t)highest - subnet->range.first;
}

static bool find_free(const struct network_plan *plan, const struct subnet *subnet,
		      const struct ip_wish *wish, const struct taken_ips *taken, uint32_t *ret)
{
	uint64_t size = (uint64_t)ipv4_range_last(subnet->range) - subnet->range.first + 1;
	uint64_t begin = find_begin(subnet, wish, taken) % size;

	for (uint64_t i = 0; i < size; i++) {
		uint32_t ip = subnet->range.first + (uint32_t)((begin + i) % size);

		if (!network_ip_is_reserved(plan, ip) && !is_taken(taken, ip)) {
			*ret = ip;
			return true;
		}
	}
	return false;
}

static int check_wished(const struct network_plan *plan, const struct ip_wish *wish,
			const struct taken_ips *taken, struct problem *problem)
{
	const struct subnet *subnet = network_subnet_of(plan, wish->ip);

	if (wish->has_range && !ipv4_range_has(wish->range, wish->ip))
		return problem_invalid(problem, "ip", "is not a part of ip_range");
	if (!ipv4_range_has(plan->range, wish->ip) || network_ip_is_reserved(plan, wish->ip))
		return problem_invalid(problem, "ip", "cannot be assigned in this network");
	if (!subnet || !is_for_servers(subnet, wish->zone))
		return problem_set(problem, PROBLEM_NO_SUBNET_AVAILABLE,
				   "no subnet or IP available");
	if (is_taken(taken, wish->ip))
		return problem_set(problem, PROBLEM_IP_NOT_AVAILABLE, "IP not available");
	return 0;
}

int network_assign_ip(const struct network_plan *plan, const struct ip_wish *wish,
		      const struct taken_ips *taken, uint32_t *ret, struct problem *problem)
{
	if (wish->has_ip) {
		if (check_wished(plan, wish, taken, problem) < 0)
			return -1;
		*ret = wish->ip;
		return 0;
	}
	for (size_t i = 0; i < plan->subnet_count; i++) {
		bool is_reversed = wish->order == IP_ORDER_LAST_SUBNET;
		const struct subnet *subnet =
			&plan->subnets[is_reversed ? plan->subnet_count - 1 - i : i];
		bool is_wished = !wish->has_range || (subnet->range.first == wish->range.first &&
						      subnet->range.prefix == wish->range.prefix);

		if (is_wished && is_for_servers(subnet, wish->zone) &&
		    find_free(plan, subnet, wish, taken, ret))
			return 0;
	}
	return problem_set(problem, PROBLEM_NO_SUBNET_AVAILABLE, "no subnet or IP available");
}
