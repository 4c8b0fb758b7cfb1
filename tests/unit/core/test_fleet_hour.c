/* The stretch before a paid hour in which idle workers go. */
#include "core/fleet_hour.h"

#include "fleet_fixture.h"
#include "tap.h"

static struct fleet_policy followed(uint64_t hour_ms, uint64_t deletion_ms)
{
	struct fleet_policy policy;

	fleet_policy_default(&policy);
	fleet_policy_set_hour(&policy, hour_ms);
	fleet_hour_follow_deletions(&policy, deletion_ms);
	return policy;
}

TEST(the_margin_follows_deletions_within_its_bounds)
{
	static const struct {
		uint64_t deletion_ms, margin_ms, late_ms;
	} rows[] = {
		{0, 90000, 15000},
		{1, 90000, 15001},
		{20000, 90000, 35000},
		{30000, 90000, 45000},
		{45000, 90000, 45000},
		{45001, 90002, 45001},
		{60000, 120000, 60000},
		{150000, 300000, 150000},
		{150001, 300000, 150000},
		{300001, 300000, 150000},
		{UINT64_MAX, 300000, 150000},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fleet_policy policy = followed(3600000, rows[i].deletion_ms);

		if (policy.hour_margin_ms != rows[i].margin_ms ||
		    policy.hour_late_ms != rows[i].late_ms)
			tap_fail(__FILE__, __LINE__, "%llu ms: margin %llu, late %llu",
				 (unsigned long long)rows[i].deletion_ms,
				 (unsigned long long)policy.hour_margin_ms,
				 (unsigned long long)policy.hour_late_ms);
	}
}

/* Whatever an hour is said to be, and however long deletions take. */
TEST(there_is_always_time_to_go_and_to_pack)
{
	for (uint64_t hour_ms = 2000; hour_ms <= 7200000; hour_ms += 1999) {
		for (uint64_t deletion_ms = 0; deletion_ms < 2 * hour_ms; deletion_ms += 4999) {
			struct fleet_policy policy = followed(hour_ms, deletion_ms);
			uint64_t begin_ms =
				policy.hour_margin_ms < hour_ms ? policy.hour_margin_ms : hour_ms;

			EXPECT(begin_ms - policy.hour_late_ms >= begin_ms / 4 &&
			       policy.hour_late_ms < begin_ms);
			EXPECT(policy.hour_margin_ms < policy.pack_ms);
		}
	}
}

TEST(a_wide_margin_stays_as_wide)
{
	struct fleet_policy policy;

	fleet_policy_default(&policy);
	policy.hour_margin_ms = 600000;
	fleet_hour_follow_deletions(&policy, UINT64_MAX);
	EXPECT_INT(policy.hour_margin_ms, 600000);
	EXPECT_INT(policy.hour_late_ms, 300000);
}

TEST(where_nothing_is_billed_nothing_changes)
{
	struct fleet_policy policy;

	fleet_policy_local(1, 1, &policy);
	fleet_hour_follow_deletions(&policy, UINT64_MAX);
	EXPECT_INT(policy.hour_margin_ms, 0);
	EXPECT_INT(policy.hour_late_ms, 0);
}

/* The decision itself. */
TEST(slow_deletions_let_idle_workers_go_earlier)
{
	struct fleet_policy policy = fixture_policy();
	struct fleet_world world;
	struct fleet_plan plan;

	fleet_plan_init(&plan);
	fixture_world(&world);
	struct fleet_worker *worker = fixture_worker(&world, WORKER_ACTIVE, 58 * MINUTE_US);
	fleet_decide(&world, &policy, &plan);
	EXPECT_INT(plan.action_count, 0);
	world.deletion_ms = 70000;
	fleet_decide(&world, &policy, &plan);
	EXPECT_INT(plan.action_count, 1);
	EXPECT_INT(plan.actions[0].rule, 120);
	/* With less left than a deletion takes, its next hour is paid for anyway. */
	worker->server_created_us = NOW_US - HOUR_US + 60 * SECOND_US;
	fleet_decide(&world, &policy, &plan);
	EXPECT_INT(plan.action_count, 0);
	world.deletion_ms = 0;
	fleet_decide(&world, &policy, &plan);
	EXPECT_INT(plan.action_count, 1);
	fleet_plan_release(&plan);
	fleet_world_release(&world);
}
