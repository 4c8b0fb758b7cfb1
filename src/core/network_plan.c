#include "core/network_plan.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "base/str.h"
#include "core/label.h"

#define RANGE_PREFIX_MAX  24 /* the smallest network */
#define SUBNET_PREFIX_MAX 30
#define PROVIDER_GATEWAY  0xac1f0101 /* 172.31.1.1 is the gateway of every public interface */
#define NAME_BYTES_MAX	  63

const char *network_step_name(enum network_step_kind kind)
{
	static const char *const names[NETWORK_STEP_KIND_MAX] = {
		[NETWORK_CREATE] = "create-network",	   [NETWORK_ADOPT] = "adopt-network",
		[NETWORK_DELETE_SUBNET] = "delete-subnet", [NETWORK_ADD_SUBNET] = "add-subnet",
		[NETWORK_DETACH] = "detach-server",	   [NETWORK_ATTACH] = "attach-server",
		[NETWORK_DELETE] = "delete-network",
	};
	return names[kind];
}

PRINTF_FORMAT(4, 5)
static void step_add(struct network_plan *plan, int rule, enum network_step_kind kind,
		     const char *format, ...)
{
	struct network_step *step = &plan->steps[plan->count++];
	va_list args;

	CHECK(plan->count <= NETWORK_STEPS_MAX);
	step->rule = rule;
	step->kind = kind;
	va_start(args, format);
	(void)vsnprintf(step->reason, sizeof(step->reason), format, args);
	va_end(args);
}

static int check_ranges(const struct network_wish *wish, struct ipv4_range *ret_range,
			struct ipv4_range *ret_subnet, struct error *err)
{
	if (ipv4_range_parse(wish->ip_range, ret_range, err) < 0)
		return error_wrap(err, "--ip-range");
	if (ipv4_range_parse(wish->subnet, ret_subnet, err) < 0)
		return error_wrap(err, "--subnet");
	if (!ipv4_range_is_private(*ret_range)) {
		(void)error_set(err, ERR_INVALID, "--ip-range: %s is not private", wish->ip_range);
		return error_hint(err, "take it from 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16");
	}
	if (ret_range->prefix > RANGE_PREFIX_MAX)
		return error_set(err, ERR_INVALID, "--ip-range: a network is a /%d or larger",
				 RANGE_PREFIX_MAX);
	if (ret_subnet->prefix > SUBNET_PREFIX_MAX)
		return error_set(err, ERR_INVALID, "--subnet: a subnet is a /%d or larger",
				 SUBNET_PREFIX_MAX);
	if (!ipv4_range_is_within(*ret_subnet, *ret_range))
		return error_set(err, ERR_INVALID, "--subnet: %s is not within %s", wish->subnet,
				 wish->ip_range);
	return 0;
}

int network_wish_check(const struct network_wish *wish, struct error *err)
{
	struct ipv4_range range;
	struct ipv4_range subnet;
	uint32_t ip = 0;

	if (wish->name[0] == '\0' || strlen(wish->name) > NAME_BYTES_MAX)
		return error_set(err, ERR_INVALID, "--name: 1 to %d characters", NAME_BYTES_MAX);
	if (check_ranges(wish, &range, &subnet, err) < 0)
		return -1;
	if (ipv4_parse(wish->ip, &ip, err) < 0)
		return error_wrap(err, "--ip");
	if (!ipv4_range_has(subnet, ip))
		return error_set(err, ERR_INVALID, "--ip: %s is not within the subnet %s", wish->ip,
				 wish->subnet);
	if (ip == subnet.first || ip == ipv4_range_last(subnet))
		return error_set(
			err, ERR_INVALID,
			"--ip: the first and the last address of a subnet are no server's");
	/* The range's first address is its network address, the next one the gateway. */
	if (ip == range.first + 1 || ip == PROVIDER_GATEWAY)
		return error_set(err, ERR_INVALID, "--ip: %s is a gateway", wish->ip);
	return 0;
}

static int refuse_ip_range(const struct network_wish *wish, const struct network_seen *seen,
			   struct error *err)
{
	(void)error_set(err, ERR_CONFLICT, "network %s has the range %s, not %s", wish->name,
			seen->ip_range, wish->ip_range);
	return error_hint(err,
			  "to use it as it is: --ip-range %s with a --subnet and --ip in it; "
			  "or take another --name",
			  seen->ip_range);
}

/* Rules 101 to 105: the network itself. */
static int plan_network(const struct network_wish *wish, const struct network_seen *seen,
			struct network_plan *plan, struct error *err)
{
	struct ipv4_range found;
	struct ipv4_range wished;

	if (!seen->exists) {
		step_add(plan, 101, NETWORK_CREATE, "there is no network %s", wish->name);
		return 0;
	}
	if (!seen->ours && !wish->adopt) {
		(void)error_set(err, ERR_CONFLICT,
				"there is a network %s that is not RGrid's: it lacks the "
				"label " LABEL_MANAGED_BY "=" LABEL_RGRID,
				wish->name);
		return error_hint(err, "--adopt makes it RGrid's; or take another --name");
	}
	if (ipv4_range_parse(wish->ip_range, &wished, err) < 0)
		return -1;
	if (ipv4_range_parse(seen->ip_range, &found, err) < 0 || !ipv4_range_equals(found, wished))
		return refuse_ip_range(wish, seen, err);
	if (!seen->ours)
		step_add(plan, 103, NETWORK_ADOPT,
			 "network %s lacks our label, and --adopt was given", wish->name);
	return 0;
}

static int refuse_subnet(const struct network_wish *wish, const struct network_seen_subnet *other,
			 struct error *err)
{
	(void)error_set(err, ERR_CONFLICT, "the %s subnet %s of network %s is in the way of %s",
			other->type, other->ip_range, wish->name, wish->subnet);
	return error_hint(err, "give a --subnet and --ip beside it, or that subnet itself");
}

/* Looks through the subnets: *ret_same is the wished one if it is there. */
static int find_subnet(const struct network_wish *wish, const struct network_seen *seen,
		       const struct network_seen_subnet **ret_same, struct error *err)
{
	struct ipv4_range wished;

	*ret_same = NULL;
	if (ipv4_range_parse(wish->subnet, &wished, err) < 0)
		return -1;
	for (size_t i = 0; i < seen->subnet_count; i++) {
		const struct network_seen_subnet *subnet = &seen->subnets[i];
		struct ipv4_range found;
		if (ipv4_range_parse(subnet->ip_range, &found, err) < 0)
			return error_wrap(err, "a subnet of network %s", wish->name);
		if (!ipv4_range_overlaps(found, wished))
			continue;
		if (!ipv4_range_equals(found, wished) || str_eq(subnet->type, "vswitch"))
			return refuse_subnet(wish, subnet, err);
		*ret_same = subnet;
	}
	return 0;
}

static int check_routes(const struct network_wish *wish, const struct network_seen *seen,
			struct error *err)
{
	struct ipv4_range wished;

	if (ipv4_range_parse(wish->subnet, &wished, err) < 0)
		return -1;
	for (size_t i = 0; i < seen->route_count; i++) {
		struct ipv4_range found;
		if (ipv4_range_parse(seen->routes[i], &found, err) < 0)
			return error_wrap(err, "a route of network %s", wish->name);
		if (found.prefix > 0 && ipv4_range_overlaps(found, wished)) {
			(void)error_set(err, ERR_CONFLICT,
					"the route to %s of network %s overlaps the subnet %s",
					seen->routes[i], wish->name, wish->subnet);
			return error_hint(err,
					  "delete the route, or give another --subnet and --ip");
		}
	}
	return 0;
}

/* Rules 107 and 109: the subnet. A network without one cannot take servers. */
static int plan_subnet(const struct network_wish *wish, const struct network_seen *seen,
		       struct network_plan *plan, struct error *err)
{
	const struct network_seen_subnet *same = NULL;

	if (seen->exists && find_subnet(wish, seen, &same, err) < 0)
		return -1;
	if (same != NULL && str_eq(same->zone, seen->zone))
		return 0;
	if (same != NULL) {
		if (seen->other_count > 0 || seen->attached_ip[0] != '\0') {
			(void)error_set(err, ERR_CONFLICT,
					"the subnet %s is in the zone %s, but server %s is in %s",
					wish->subnet, same->zone, seen->server, seen->zone);
			return error_hint(err,
					  "servers use the network, so that the subnet cannot be "
					  "replaced: detach them first, or take another --name");
		}
		step_add(plan, 107, NETWORK_DELETE_SUBNET,
			 "subnet %s is in the zone %s, server %s in %s, and nothing uses it",
			 wish->subnet, same->zone, seen->server, seen->zone);
	} else if (seen->exists) {
		if (check_routes(wish, seen, err) < 0)
			return -1;
		if (seen->subnet_count >= NETWORK_SUBNETS_MAX)
			return error_set(err, ERR_LIMIT, "network %s has %zu subnets, the most",
					 wish->name, seen->subnet_count);
	}
	step_add(plan, 109, NETWORK_ADD_SUBNET, "network %s needs the subnet %s in the zone %s",
		 wish->name, wish->subnet, seen->zone);
	return 0;
}

static int check_can_attach(const struct network_wish *wish, const struct network_seen *seen,
			    struct error *err)
{
	if (seen->exists && seen->holder[0] != '\0') {
		(void)error_set(err, ERR_CONFLICT, "the address %s belongs to server %s", wish->ip,
				seen->holder);
		return error_hint(err,
				  "detach that server: hcloud server detach-from-network "
				  "--network %s %s; or give another --ip",
				  wish->name, seen->holder);
	}
	if (seen->attached_ip[0] != '\0')
		return 0; /* what follows is about one network, one member more */
	if (seen->exists && seen->other_count >= NETWORK_MEMBERS_MAX) {
		(void)error_set(err, ERR_LIMIT, "network %s has %zu servers, the most", wish->name,
				seen->other_count);
		return error_hint(err, "delete a worker first");
	}
	if (seen->network_count >= NETWORKS_OF_SERVER) {
		(void)error_set(err, ERR_LIMIT, "server %s is in %zu networks, the most",
				seen->server, seen->network_count);
		return error_hint(err, "detach it from one of them");
	}
	if (seen->overlapping[0] != '\0') {
		(void)error_set(err, ERR_CONFLICT,
				"server %s is in the network %s, whose range overlaps %s",
				seen->server, seen->overlapping, wish->ip_range);
		return error_hint(err, "give another --ip-range, --subnet and --ip");
	}
	return 0;
}

/* Rules 201 and 203: this server. */
static int plan_server(const struct network_wish *wish, const struct network_seen *seen,
		       struct network_plan *plan, struct error *err)
{
	bool attached = seen->exists && seen->attached_ip[0] != '\0';

	if (attached && str_eq(seen->attached_ip, wish->ip))
		return 0;
	if (check_can_attach(wish, seen, err) < 0)
		return -1;
	if (attached) {
		if (seen->other_count > 0 && !wish->force) {
			(void)error_set(err, ERR_CONFLICT,
					"server %s is attached as %s, not as %s, and %zu other "
					"server%s the network",
					seen->server, seen->attached_ip, wish->ip,
					seen->other_count,
					seen->other_count == 1 ? " uses" : "s use");
			return error_hint(err,
					  "--yes detaches it and attaches it again as %s, "
					  "which cuts their connections; or give --ip %s",
					  wish->ip, seen->attached_ip);
		}
		step_add(plan, 201, NETWORK_DETACH, "server %s has the address %s, not %s%s",
			 seen->server, seen->attached_ip, wish->ip,
			 seen->other_count > 0 ? ", and --yes was given"
					       : ", and nothing else uses the network");
	}
	step_add(plan, 203, NETWORK_ATTACH, "server %s is to have the address %s", seen->server,
		 wish->ip);
	return 0;
}

int network_plan_setup(const struct network_wish *wish, const struct network_seen *seen,
		       struct network_plan *ret, struct error *err)
{
	struct network_plan plan = {0};

	if (plan_network(wish, seen, &plan, err) < 0 || plan_subnet(wish, seen, &plan, err) < 0 ||
	    plan_server(wish, seen, &plan, err) < 0)
		return -1;
	*ret = plan;
	return 0;
}

int network_plan_delete(const struct network_wish *wish, const struct network_seen *seen,
			struct network_plan *ret, struct error *err)
{
	struct network_plan plan = {0};

	if (!seen->exists) {
		*ret = plan;
		return 0;
	}
	if (!seen->ours)
		return error_set(err, ERR_CONFLICT,
				 "network %s is not RGrid's: it lacks the label " LABEL_MANAGED_BY
				 "=" LABEL_RGRID,
				 wish->name);
	if (seen->other_count > 0) {
		(void)error_set(err, ERR_CONFLICT, "network %s has %zu other server%s in it",
				wish->name, seen->other_count, seen->other_count == 1 ? "" : "s");
		return error_hint(err, "drain and delete the workers first");
	}
	if (seen->delete_protected) {
		(void)error_set(err, ERR_CONFLICT, "network %s is protected against deletion",
				wish->name);
		return error_hint(err, "hcloud network disable-protection %s delete", wish->name);
	}
	if (seen->attached_ip[0] != '\0')
		step_add(&plan, 301, NETWORK_DETACH, "server %s is attached as %s", seen->server,
			 seen->attached_ip);
	step_add(&plan, 303, NETWORK_DELETE, "network %s is to go, and nothing else uses it",
		 wish->name);
	*ret = plan;
	return 0;
}
