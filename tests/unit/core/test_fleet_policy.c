#include "core/fleet.h"

#include "fleet_fixture.h"
#include "tap.h"

static struct fleet_world world;
static struct fleet_plan plan;

TEST(margins_shrink_with_the_hour)
{
	struct fleet_policy usual;
	struct fleet_policy policy;

	fleet_policy_default(&usual);
	policy = usual;
	fleet_policy_set_hour(&policy, usual.hour_ms);
	EXPECT_INT(policy.hour_margin_ms, usual.hour_margin_ms);
	EXPECT_INT(policy.pack_ms, usual.pack_ms);
	fleet_policy_set_hour(&policy, usual.hour_ms / 10);
	EXPECT_INT(policy.hour_ms, usual.hour_ms / 10);
	EXPECT_INT(policy.hour_margin_ms, usual.hour_margin_ms / 10);
	EXPECT_INT(policy.pack_ms, usual.pack_ms / 10);
	fleet_policy_set_hour(&policy, 60000);
	EXPECT_INT(policy.hour_margin_ms, 5000);
	EXPECT(policy.hour_late_ms < policy.hour_margin_ms);
	EXPECT(policy.pack_ms >= policy.hour_margin_ms);
}

TEST(the_local_policy_keeps_a_number)
{
	struct fleet_policy policy;
	fixture_world(&world);
	fleet_policy_local(3, 2, &policy);
	fleet_decide(&world, &policy, &plan);
	EXPECT_INT(plan.action_count, 3);
	fixture_apply(&world, &plan);
	for (size_t i = 0; i < world.worker_count; i++) {
		world.workers[i].state = WORKER_ACTIVE;
		world.workers[i].joined_us = NOW_US;
	}
	world.now_us += 100 * HOUR_US;
	fleet_decide(&world, &policy, &plan);
	EXPECT_INT(plan.action_count, 0);
	world.workers[1].absent_looks = 1;
	world.workers[1].absent_ms = 60000;
	fleet_decide(&world, &policy, &plan);
	EXPECT_INT(plan.action_count, 1);
	EXPECT_INT(plan.actions[0].rule, 101);
	EXPECT_INT(plan.actions[0].worker_id, world.workers[1].id);
}

TEST(who_waits_for_money_is_told_how_much)
{
	struct fleet_policy policy = fixture_policy();

	fixture_world(&world);
	fixture_jobs(&world, 1);
	world.spent_micros = 1995000;
	policy.spend_limit_micros = 2000000;
	world.choices[0].price_hour_micros = 5001;
	fleet_decide(&world, &policy, &plan);
	EXPECT_INT(plan.wait_count, 1);
	EXPECT_STR(plan.waits[0].text,
		   "a worker's next hour would break the fleet's monthly spending limit: 1.9950 of "
		   "2.0000 euros are spent");
}

TEST(rule_127_replaces_what_is_switched_off)
{
	struct fleet_policy policy = fixture_policy();
	struct fleet_worker *worker;

	fixture_world(&world);
	worker = fixture_worker(&world, WORKER_PROVISIONING, 2 * MINUTE_US);
	worker->silent_ms = 120000;
	fleet_decide(&world, &policy, &plan);
	EXPECT_INT(plan.action_count, 0);
	world.servers[0].is_off = true;
	fleet_decide(&world, &policy, &plan);
	EXPECT_INT(plan.action_count, 1);
	EXPECT_INT(plan.actions[0].rule, 127);
	EXPECT_INT(plan.actions[0].kind, FLEET_DELETE_WORKER);
	EXPECT_INT(plan.actions[0].cooling, FLEET_COOLING_NO_START);
	worker->operation = FLEET_OPERATION_RUNNING; /* it is still being set up */
	fleet_decide(&world, &policy, &plan);
	EXPECT_INT(plan.action_count, 0);
	worker->operation = 0;
	world.servers[0].created_us = NOW_US - 59 * SECOND_US; /* or may be */
	fleet_decide(&world, &policy, &plan);
	EXPECT_INT(plan.action_count, 0);
	world.servers[0].created_us = NOW_US - 61 * SECOND_US;
	worker->silent_ms = 1000; /* somebody has seen it alive */
	fleet_decide(&world, &policy, &plan);
	EXPECT_INT(plan.action_count, 0);
}

/* Its row is what keeps the place of a server that may have been made although no answer came. */
TEST(a_drained_worker_without_a_server_is_left_to_the_rule_for_lost_orders)
{
	struct fleet_policy policy = fixture_policy();
	fixture_world(&world);
	struct fleet_worker *worker = fixture_draining(&world, FLEET_DRAIN_OPERATOR, MINUTE_US);

	worker->joined_us = 0;
	worker->server_id = 0;
	world.server_count = 0;
	fleet_decide(&world, &policy, &plan);
	EXPECT_INT(plan.action_count, 0);
	worker->created_us = NOW_US - 2 * MINUTE_US;
	worker->absent_looks = policy.absent_looks;
	worker->absent_ms = 60000;
	fleet_decide(&world, &policy, &plan);
	EXPECT_INT(plan.action_count, 1);
	EXPECT_INT(plan.actions[0].rule, 108);
}
