#include "core/network_plan.h"

#include "base/str.h"
#include "tap.h"

#define ZONE	   "eu-central"
#define OTHER_ZONE "us-east"
#define OTHER_IP   "10.0.1.9"

static const struct network_wish default_wish = {
	.name = NETWORK_DEFAULT_NAME,
	.ip_range = NETWORK_DEFAULT_RANGE,
	.subnet = NETWORK_DEFAULT_SUBNET,
	.ip = NETWORK_DEFAULT_IP,
};

static struct network_seen nothing(void)
{
	return (struct network_seen){.ip_range = "",
				     .holder = "",
				     .server = "rgrid",
				     .zone = ZONE,
				     .attached_ip = "",
				     .overlapping = ""};
}

static struct network_seen all_done(void)
{
	struct network_seen seen = nothing();
	seen.exists = true;
	seen.ours = true;
	seen.ip_range = NETWORK_DEFAULT_RANGE;
	seen.subnets[0] = (struct network_seen_subnet){NETWORK_DEFAULT_SUBNET, ZONE, "cloud"};
	seen.subnet_count = 1;
	seen.attached_ip = NETWORK_DEFAULT_IP;
	return seen;
}

/* "101 109 203" */
static void expect_rules(const struct network_seen *seen, const struct network_wish *wish,
			 const char *expected)
{
	struct error err;
	struct network_plan plan;
	char rules[64] = "";

	EXPECT_OK(network_plan_setup(wish, seen, &plan, &err), err);
	for (size_t i = 0; i < plan.count; i++) {
		size_t used = strlen(rules);
		(void)snprintf(rules + used, sizeof(rules) - used, "%s%d", used > 0 ? " " : "",
			       plan.steps[i].rule);
		EXPECT(plan.steps[i].reason[0] != '\0');
	}
	EXPECT_STR(rules, expected);
}

static void expect_refused(const struct network_seen *seen, const struct network_wish *wish,
			   enum error_code code, const char *hint_part)
{
	struct error err;
	struct network_plan plan;

	EXPECT_ERR(network_plan_setup(wish, seen, &plan, &err), err, code);
	if (strstr(err.hint, hint_part) == NULL)
		tap_fail(__FILE__, __LINE__, "%s: hint \"%s\" lacks \"%s\"", err.msg, err.hint,
			 hint_part);
}

TEST(from_nothing_all_is_made)
{
	struct network_seen seen = nothing();
	expect_rules(&seen, &default_wish, "101 109 203");
}

TEST(nothing_is_done_when_all_is_there)
{
	struct network_seen seen = all_done();
	expect_rules(&seen, &default_wish, "");
	seen.other_count = NETWORK_MEMBERS_MAX;
	seen.network_count = NETWORKS_OF_SERVER;
	expect_rules(&seen, &default_wish, "");
}

TEST(what_is_half_done_is_mended)
{
	struct network_seen seen = all_done();
	seen.attached_ip = "";
	expect_rules(&seen, &default_wish, "203");
	seen.subnet_count = 0;
	expect_rules(&seen, &default_wish, "109 203");
	seen = all_done();
	seen.attached_ip = OTHER_IP;
	expect_rules(&seen, &default_wish, "201 203");
}

TEST(others_are_cut_off_only_when_asked)
{
	struct network_seen seen = all_done();
	struct network_wish wish = default_wish;
	seen.attached_ip = OTHER_IP;
	seen.other_count = 1;
	expect_refused(&seen, &wish, ERR_CONFLICT, "--yes");
	wish.force = true;
	expect_rules(&seen, &wish, "201 203");
}

TEST(what_is_not_ours_is_left_alone)
{
	struct network_seen seen = all_done();
	struct network_wish wish = default_wish;
	seen.ours = false;
	expect_refused(&seen, &wish, ERR_CONFLICT, "--adopt");
	wish.adopt = true;
	expect_rules(&seen, &wish, "103");
	seen.ours = true;
	expect_rules(&seen, &wish, "");
}

TEST(a_subnet_in_the_wrong_zone_is_replaced_only_unused)
{
	struct network_seen seen = all_done();
	struct network_wish wish = default_wish;
	seen.subnets[0].zone = OTHER_ZONE;
	seen.attached_ip = "";
	expect_rules(&seen, &wish, "107 109 203");
	seen.other_count = 1;
	wish.force = true;
	expect_refused(&seen, &wish, ERR_CONFLICT, "detach them first");
}

TEST(ranges_in_the_way_are_refused)
{
	struct network_seen seen = all_done();
	seen.ip_range = "10.0.0.0/8";
	expect_refused(&seen, &default_wish, ERR_CONFLICT, "--ip-range 10.0.0.0/8");
	seen = all_done();
	seen.subnets[0].ip_range = "10.0.0.0/23";
	expect_refused(&seen, &default_wish, ERR_CONFLICT, "--subnet");
	seen = all_done();
	seen.subnets[0].type = "vswitch";
	expect_refused(&seen, &default_wish, ERR_CONFLICT, "--subnet");
	seen = all_done();
	seen.subnet_count = 0;
	seen.routes[seen.route_count++] = "0.0.0.0/0";
	expect_rules(&seen, &default_wish, "109");
	seen.routes[seen.route_count++] = "10.0.1.128/25";
	expect_refused(&seen, &default_wish, ERR_CONFLICT, "route");
}

TEST(an_address_that_is_taken_is_refused)
{
	struct network_seen seen = all_done();
	seen.attached_ip = "";
	seen.holder = "db2";
	seen.other_count = 1;
	expect_refused(&seen, &default_wish, ERR_CONFLICT,
		       "detach-from-network --network rgrid-private db2");
	seen.attached_ip = OTHER_IP;
	expect_refused(&seen, &default_wish, ERR_CONFLICT, "--ip");
}

TEST(the_limits_of_the_provider_are_told_first)
{
	struct network_seen seen = all_done();
	seen.attached_ip = "";
	seen.other_count = NETWORK_MEMBERS_MAX;
	expect_refused(&seen, &default_wish, ERR_LIMIT, "worker");
	seen = nothing();
	seen.network_count = NETWORKS_OF_SERVER;
	expect_refused(&seen, &default_wish, ERR_LIMIT, "detach");
	seen = nothing();
	seen.overlapping = "office";
	expect_refused(&seen, &default_wish, ERR_CONFLICT, "--ip-range");
	seen = all_done();
	seen.subnets[0].ip_range = "10.0.200.0/24";
	seen.subnet_count = NETWORK_SUBNETS_MAX;
	for (size_t i = 1; i < NETWORK_SUBNETS_MAX; i++)
		seen.subnets[i] = seen.subnets[0];
	expect_refused(&seen, &default_wish, ERR_LIMIT, "");
}

TEST(deletion_is_refused_while_others_use_it)
{
	struct network_seen seen = all_done();
	struct network_plan plan;
	struct error err;

	EXPECT_OK(network_plan_delete(&default_wish, &seen, &plan, &err), err);
	EXPECT_INT(plan.count, 2);
	EXPECT_INT(plan.steps[0].kind, NETWORK_DETACH);
	EXPECT_INT(plan.steps[1].kind, NETWORK_DELETE);
	seen.attached_ip = "";
	EXPECT_OK(network_plan_delete(&default_wish, &seen, &plan, &err), err);
	EXPECT_INT(plan.count, 1);
	seen.delete_protected = true;
	EXPECT_ERR(network_plan_delete(&default_wish, &seen, &plan, &err), err, ERR_CONFLICT);
	seen = all_done();
	seen.other_count = 1;
	EXPECT_ERR(network_plan_delete(&default_wish, &seen, &plan, &err), err, ERR_CONFLICT);
	seen = all_done();
	seen.ours = false;
	EXPECT_ERR(network_plan_delete(&default_wish, &seen, &plan, &err), err, ERR_CONFLICT);
	seen = nothing();
	EXPECT_OK(network_plan_delete(&default_wish, &seen, &plan, &err), err);
	EXPECT_INT(plan.count, 0);
}

TEST(wishes_are_checked)
{
	static const struct {
		const char *ip_range, *subnet, *ip;
		bool good;
	} rows[] = {
		{"10.0.0.0/16", "10.0.1.0/24", "10.0.1.2", true},
		{"10.0.0.0/16", "10.0.1.0/24", "10.0.1.1", true},
		{"10.0.0.0/16", "10.0.1.0/24", "10.0.1.254", true},
		{"10.0.0.0/16", "10.0.1.0/24", "10.0.1.0", false},
		{"10.0.0.0/16", "10.0.1.0/24", "10.0.1.255", false},
		{"10.0.0.0/16", "10.0.0.0/24", "10.0.0.1", false},
		{"10.0.0.0/16", "10.0.0.0/24", "10.0.0.2", true},
		{"172.31.0.0/16", "172.31.1.0/24", "172.31.1.1", false},
		{"10.0.0.0/16", "10.0.1.0/24", "10.0.2.2", false},
		{"10.0.0.0/16", "10.1.1.0/24", "10.1.1.2", false},
		{"10.0.0.0/25", "10.0.0.0/26", "10.0.0.2", false},
		{"10.0.0.0/24", "10.0.0.0/31", "10.0.0.1", false},
		{"46.0.0.0/8", "46.0.1.0/24", "46.0.1.2", false},
		{"10.0.0.0/16", "10.0.1.0", "10.0.1.2", false},
		{"10.0.0.0/16", "10.0.1.0/24", "10.0.1.2.3", false},
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = {0};
		struct network_wish wish = {.name = "n",
					    .ip_range = rows[i].ip_range,
					    .subnet = rows[i].subnet,
					    .ip = rows[i].ip};
		int result = network_wish_check(&wish, &err);
		if ((result == 0) != rows[i].good)
			tap_fail(__FILE__, __LINE__, "row %zu: %s", i, err.msg);
	}
	struct network_wish unnamed = default_wish;
	struct error err;
	unnamed.name = "";
	EXPECT_ERR(network_wish_check(&unnamed, &err), err, ERR_INVALID);
}

/* What a step does to a world in which nothing goes wrong; breaks the test where the step must not
 * be taken. */
static void apply(const struct network_step *step, const struct network_wish *wish,
		  struct network_seen *seen)
{
	switch (step->kind) {
	case NETWORK_CREATE:
		EXPECT(!seen->exists);
		seen->exists = true;
		seen->ours = true;
		seen->ip_range = wish->ip_range;
		seen->subnet_count = 0;
		seen->attached_ip = "";
		seen->holder = "";
		seen->other_count = 0;
		return;
	case NETWORK_ADOPT:
		EXPECT(wish->adopt && !seen->ours);
		seen->ours = true;
		return;
	case NETWORK_DELETE_SUBNET:
		EXPECT(seen->ours && seen->other_count == 0 && seen->attached_ip[0] == '\0');
		seen->subnet_count = 0;
		return;
	case NETWORK_ADD_SUBNET:
		EXPECT(seen->ours);
		seen->subnets[seen->subnet_count++] =
			(struct network_seen_subnet){wish->subnet, seen->zone, "cloud"};
		return;
	case NETWORK_DETACH:
		EXPECT(seen->ours && seen->attached_ip[0] != '\0');
		EXPECT(seen->other_count == 0 || wish->force);
		seen->attached_ip = "";
		return;
	case NETWORK_ATTACH:
		EXPECT(seen->ours && seen->attached_ip[0] == '\0' && seen->holder[0] == '\0');
		EXPECT(seen->subnet_count > 0 && seen->other_count < NETWORK_MEMBERS_MAX);
		seen->attached_ip = wish->ip;
		return;
	case NETWORK_DELETE:
	case NETWORK_STEP_KIND_MAX:
		break;
	}
	tap_fail(__FILE__, __LINE__, "step %d", (int)step->kind);
}

/* Either a refusal with words, or a way to the wish on which the plan of each look is the rest of
 * the one before: so a run that is killed anywhere is completed by the next. */
static bool follow(const struct network_wish *wish, struct network_seen seen)
{
	struct error err = {0};
	struct network_plan plan;
	struct network_plan next;

	if (network_plan_setup(wish, &seen, &plan, &err) < 0) {
		EXPECT(err.msg[0] != '\0');
		return false;
	}
	while (plan.count > 0) {
		apply(&plan.steps[0], wish, &seen);
		EXPECT_OK(network_plan_setup(wish, &seen, &next, &err), err);
		EXPECT_INT(next.count, plan.count - 1);
		for (size_t i = 0; i < next.count; i++)
			EXPECT_INT(next.steps[i].kind, plan.steps[i + 1].kind);
		plan = next;
	}
	EXPECT(seen.exists && seen.ours);
	EXPECT_STR(seen.attached_ip, wish->ip);
	return true;
}

static const struct network_seen_subnet subnet_kinds[] = {
	{NETWORK_DEFAULT_SUBNET, ZONE, "cloud"},   {NETWORK_DEFAULT_SUBNET, OTHER_ZONE, "cloud"},
	{NETWORK_DEFAULT_SUBNET, ZONE, "vswitch"}, {"10.0.0.0/23", ZONE, "cloud"},
	{"10.0.7.0/24", OTHER_ZONE, "cloud"},	   {"10.0.1.0/24", ZONE, "server"},
};

/* All worlds that these few values make, as digits of one number. */
#define WORLDS (2U * 2 * 2 * 7 * 3 * 3 * 2 * 2 * 2 * 2 * 2)

static unsigned digit(unsigned *number, unsigned base)
{
	unsigned value = *number % base;
	*number /= base;
	return value;
}

TEST(every_small_world_is_mended_or_refused)
{
	static const char *const addresses[] = {"", NETWORK_DEFAULT_IP, OTHER_IP};
	static const size_t others[] = {0, 1, NETWORK_MEMBERS_MAX};
	unsigned mended_count = 0;

	for (unsigned world = 0; world < WORLDS; world++) {
		unsigned rest = world;
		struct network_seen seen = nothing();
		struct network_wish wish = default_wish;
		seen.exists = digit(&rest, 2);
		seen.ours = digit(&rest, 2);
		seen.ip_range = digit(&rest, 2) ? "10.0.0.0/12" : NETWORK_DEFAULT_RANGE;
		unsigned subnet = digit(&rest, 7);
		if (subnet < ARRAY_SIZE(subnet_kinds))
			seen.subnets[seen.subnet_count++] = subnet_kinds[subnet];
		seen.attached_ip = addresses[digit(&rest, 3)];
		seen.other_count = others[digit(&rest, 3)];
		seen.holder = digit(&rest, 2) ? "db2" : "";
		seen.network_count = digit(&rest, 2) ? NETWORKS_OF_SERVER : 0;
		seen.overlapping = digit(&rest, 2) ? "office" : "";
		wish.adopt = digit(&rest, 2);
		wish.force = digit(&rest, 2);
		EXPECT_INT(rest, 0);
		/* Worlds that cannot be. */
		if (!seen.exists &&
		    (seen.ours || seen.subnet_count > 0 || seen.attached_ip[0] != '\0' ||
		     seen.other_count > 0 || seen.holder[0] != '\0'))
			continue;
		if (seen.holder[0] != '\0' &&
		    (seen.other_count == 0 || str_eq(seen.attached_ip, wish.ip)))
			continue;
		if (seen.subnet_count == 0 && (seen.attached_ip[0] != '\0' || seen.other_count > 0))
			continue;
		if (seen.attached_ip[0] != '\0' &&
		    (seen.network_count == NETWORKS_OF_SERVER ||
		     seen.other_count == NETWORK_MEMBERS_MAX || seen.overlapping[0] != '\0'))
			continue;
		mended_count += follow(&wish, seen);
	}
	EXPECT(mended_count > 20);
}
