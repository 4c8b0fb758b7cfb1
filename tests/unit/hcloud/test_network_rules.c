#include "hcloud/network_rules.h"

#include "tap.h"

static struct problem problem;

static struct ipv4_range range(const char *text)
{
	struct ipv4_range cidr;

	EXPECT(ip_range_read(text, &cidr));
	return cidr;
}

static uint32_t address(const char *text)
{
	uint32_t ip;

	EXPECT(ip_read(text, &ip));
	return ip;
}

static struct network_plan plan_of(const char *network, const char *const *subnets)
{
	struct network_plan plan = {.range = range(network)};

	for (; subnets && *subnets; subnets++)
		plan.subnets[plan.subnet_count++] = (struct subnet){
			.range = range(*subnets), .type = SUBNET_CLOUD, .zone = "eu-central"};
	return plan;
}

/* The address that a server of the zone gets, or the problem's code. */
static const char *assigned(const struct network_plan *plan, const struct ip_wish *wish,
			    const struct taken_ips *taken)
{
	static char text[IPV4_RANGE_BYTES];
	const struct taken_ips none = {NULL, 0};
	uint32_t ip;

	if (network_assign_ip(plan, wish, taken ? taken : &none, &ip, &problem) < 0)
		return problem_code_name(problem.code);
	return ipv4_format(ip, text);
}

static const char *wished(const struct network_plan *plan, const char *ip)
{
	return assigned(
		plan,
		&(const struct ip_wish){.zone = "eu-central", .has_ip = true, .ip = address(ip)},
		NULL);
}

static const struct ip_wish any = {.zone = "eu-central", .order = IP_ORDER_LOWEST};

TEST(the_gateway_is_the_first_address_of_the_network)
{
	struct network_plan plan = plan_of("10.1.0.0/16", NULL);

	EXPECT_INT(network_gateway(&plan), address("10.1.0.1"));
}

TEST(the_first_subnet_loses_the_gateway_others_do_not)
{
	struct network_plan first = plan_of("10.0.0.0/16", (const char *[]){"10.0.0.0/24", NULL});
	struct network_plan second = plan_of("10.0.0.0/16", (const char *[]){"10.0.1.0/24", NULL});

	EXPECT_STR(assigned(&first, &any, NULL), "10.0.0.2");
	EXPECT_STR(assigned(&second, &any, NULL), "10.0.1.1");
}

TEST(what_cannot_be_assigned)
{
	struct network_plan plan =
		plan_of("10.0.0.0/16", (const char *[]){"10.0.0.0/24", "10.0.1.0/24", NULL});

	EXPECT_STR(wished(&plan, "10.0.0.1"), "invalid_input");
	EXPECT_STR(wished(&plan, "10.0.1.0"), "invalid_input");
	EXPECT_STR(wished(&plan, "10.0.1.255"), "invalid_input");
	EXPECT_STR(wished(&plan, "10.1.0.1"), "invalid_input");
	EXPECT_STR(wished(&plan, "10.0.7.1"), "no_subnet_available");
	EXPECT_STR(wished(&plan, "10.0.1.1"), "10.0.1.1");
	EXPECT_STR(wished(&plan, "10.0.1.254"), "10.0.1.254");
	plan = plan_of("172.16.0.0/12", (const char *[]){"172.31.1.0/24", NULL});
	EXPECT_STR(wished(&plan, "172.31.1.1"), "invalid_input");
	EXPECT_STR(assigned(&plan, &any, NULL), "172.31.1.2");
}

TEST(the_lowest_free_one_then_the_next_subnet_then_none)
{
	struct network_plan plan =
		plan_of("10.0.0.0/16", (const char *[]){"10.0.1.0/30", "10.0.2.0/30", NULL});
	uint32_t ips[] = {address("10.0.1.1"), address("10.0.1.2"), address("10.0.2.1"),
			  address("10.0.2.2")};

	EXPECT_STR(assigned(&plan, &any, &(const struct taken_ips){ips, 1}), "10.0.1.2");
	EXPECT_STR(assigned(&plan, &any, &(const struct taken_ips){ips, 2}), "10.0.2.1");
	EXPECT_STR(assigned(&plan, &any, &(const struct taken_ips){ips, 4}), "no_subnet_available");
}

TEST(a_taken_address_and_a_foreign_zone)
{
	struct network_plan plan = plan_of("10.0.0.0/16", (const char *[]){"10.0.1.0/24", NULL});
	uint32_t ip = address("10.0.1.2");
	const struct ip_wish wish = {.zone = "eu-central", .has_ip = true, .ip = ip};

	EXPECT_STR(assigned(&plan, &wish, &(const struct taken_ips){&ip, 1}), "ip_not_available");
	EXPECT_STR(assigned(&plan, &(const struct ip_wish){.zone = "us-east"}, NULL),
		   "no_subnet_available");
	plan.subnets[0].type = SUBNET_VSWITCH;
	EXPECT_STR(assigned(&plan, &any, NULL), "no_subnet_available");
}

TEST(a_subnet_may_be_wished_for)
{
	struct network_plan plan =
		plan_of("10.0.0.0/16", (const char *[]){"10.0.1.0/24", "10.0.2.0/24", NULL});
	struct ip_wish wish = {
		.zone = "eu-central", .has_range = true, .range = range("10.0.2.0/24")};

	EXPECT_STR(assigned(&plan, &wish, NULL), "10.0.2.1");
	wish.has_ip = true;
	wish.ip = address("10.0.1.5");
	EXPECT_STR(assigned(&plan, &wish, NULL), "invalid_input");
}

TEST(other_orders)
{
	struct network_plan plan =
		plan_of("10.0.0.0/16", (const char *[]){"10.0.1.0/29", "10.0.2.0/29", NULL});
	struct ip_wish wish = {.zone = "eu-central", .order = IP_ORDER_LAST_SUBNET};
	uint32_t taken = address("10.0.1.5");

	EXPECT_STR(assigned(&plan, &wish, NULL), "10.0.2.1");
	wish.order = IP_ORDER_RANDOM;
	wish.random = 5;
	EXPECT_STR(assigned(&plan, &wish, NULL), "10.0.1.5");
	EXPECT_STR(assigned(&plan, &wish, &(const struct taken_ips){&taken, 1}), "10.0.1.6");
	/* Around the end, past both reserved ones. */
	wish.random = 8 * 1000 + 7;
	EXPECT_STR(assigned(&plan, &wish, NULL), "10.0.1.1");
	wish.order = IP_ORDER_NEXT;
	EXPECT_STR(assigned(&plan, &wish, NULL), "10.0.1.1");
	EXPECT_STR(assigned(&plan, &wish, &(const struct taken_ips){&taken, 1}), "10.0.1.6");
	taken = address("10.0.1.6");
	EXPECT_STR(assigned(&plan, &wish, &(const struct taken_ips){&taken, 1}), "10.0.1.1");
	taken = address("10.0.2.3");
	EXPECT_STR(assigned(&plan, &wish, &(const struct taken_ips){&taken, 1}), "10.0.1.1");
}

static int check_range(const char *text)
{
	const struct ipv4_range cidr = range(text);

	return network_check_range(&cidr, &problem);
}

TEST(ranges_of_networks)
{
	EXPECT_INT(check_range("10.0.0.0/8"), 0);
	EXPECT_INT(check_range("192.168.1.0/24"), 0);
	EXPECT_INT(check_range("192.168.1.0/25"), -1);
	EXPECT_INT(check_range("8.0.0.0/16"), -1);
	EXPECT_STR(problem.name, "ip_range");
}

static int check_growth(const char *from, const char *to)
{
	struct network_plan plan = plan_of(from, NULL);
	const struct ipv4_range cidr = range(to);

	return network_check_growth(&plan, &cidr, &problem);
}

TEST(networks_only_grow)
{
	EXPECT_INT(check_growth("10.0.0.0/16", "10.0.0.0/8"), 0);
	EXPECT_INT(check_growth("10.0.0.0/16", "10.0.0.0/17"), -1);
	EXPECT_INT(check_growth("10.1.0.0/16", "10.0.0.0/15"), -1);
}

static int check_subnet(const struct network_plan *plan, const char *text)
{
	const struct ipv4_range cidr = range(text);

	return network_check_subnet(plan, &cidr, &problem);
}

static int check_route(const struct network_plan *plan, const char *destination,
		       const char *gateway)
{
	const struct network_route route = {range(destination), address(gateway)};

	return network_check_route(plan, &route, &problem);
}

TEST(subnets)
{
	struct network_plan plan = plan_of("10.0.0.0/16", (const char *[]){"10.0.1.0/24", NULL});

	plan.routes[plan.route_count++] =
		(struct network_route){range("10.0.9.0/24"), address("10.0.1.2")};
	plan.routes[plan.route_count++] =
		(struct network_route){range("0.0.0.0/0"), address("10.0.1.2")};
	EXPECT_INT(check_subnet(&plan, "10.0.2.0/30"), 0);
	EXPECT_INT(check_subnet(&plan, "10.0.2.0/31"), -1);
	EXPECT_INT(check_subnet(&plan, "10.0.0.0/23"), -1);
	EXPECT_INT(check_subnet(&plan, "10.1.0.0/24"), -1);
	EXPECT_INT(check_subnet(&plan, "10.0.9.128/25"), -1);
}

TEST(the_first_free_subnet)
{
	struct network_plan plan =
		plan_of("10.0.0.0/22", (const char *[]){"10.0.0.0/24", "10.0.1.128/25", NULL});
	struct ipv4_range found;
	char text[IPV4_RANGE_BYTES];

	EXPECT(network_free_subnet(&plan, &found));
	EXPECT_STR(ip_range_format(&found, text), "10.0.2.0/24");
	plan.subnets[1].range = range("10.0.2.0/23");
	plan.subnets[0].range = range("10.0.0.0/23");
	EXPECT(!network_free_subnet(&plan, &found));
}

TEST(routes)
{
	struct network_plan plan = plan_of("10.0.0.0/16", (const char *[]){"10.0.1.0/24", NULL});

	EXPECT_INT(check_route(&plan, "0.0.0.0/0", "10.0.1.2"), 0);
	EXPECT_INT(check_route(&plan, "192.168.0.0/16", "10.0.1.2"), 0);
	EXPECT_INT(check_route(&plan, "8.8.8.0/24", "10.0.1.2"), -1);
	EXPECT_STR(problem.name, "destination");
	EXPECT_INT(check_route(&plan, "10.0.1.128/25", "10.0.1.2"), -1);
	EXPECT_INT(check_route(&plan, "172.31.0.0/16", "10.0.1.2"), -1);
	EXPECT_INT(check_route(&plan, "0.0.0.0/0", "10.0.0.1"), -1);
	EXPECT_STR(problem.name, "gateway");
	EXPECT_INT(check_route(&plan, "0.0.0.0/0", "10.9.0.1"), -1);
	plan.routes[plan.route_count++] =
		(struct network_route){range("0.0.0.0/0"), address("10.0.1.2")};
	EXPECT_INT(check_route(&plan, "0.0.0.0/0", "10.0.1.3"), -1);
	EXPECT_INT(check_route(&plan, "192.168.0.0/16", "10.0.1.2"), 0);
}

TEST(fifty_subnets_and_no_more)
{
	struct network_plan plan = plan_of("10.0.0.0/8", NULL);

	for (uint32_t i = 0; i < NETWORK_SUBNETS_MAX; i++)
		plan.subnets[plan.subnet_count++] = (struct subnet){
			.range = {0x0a000000 + (i << 8), 24},
			.type = SUBNET_CLOUD,
			.zone = "eu-central",
		};
	EXPECT_INT(check_subnet(&plan, "10.9.0.0/24"), -1);
	EXPECT_INT(problem.code, PROBLEM_RESOURCE_LIMIT_EXCEEDED);
}
