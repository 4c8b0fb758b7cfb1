#include "core/fleet.h"

#include "fleet_fixture.h"
#include "tap.h"

static struct fleet_world world;
static struct fleet_plan plan;

static void decide(const struct fleet_policy *policy)
{
	fleet_decide(&world, policy, &plan);
}

static void expect_action(size_t index, int rule, enum fleet_action_kind kind, int64_t worker_id)
{
	EXPECT(index < plan.action_count);
	EXPECT_INT(plan.actions[index].rule, rule);
	EXPECT_INT(plan.actions[index].kind, kind);
	EXPECT_INT(plan.actions[index].worker_id, worker_id);
	EXPECT(plan.actions[index].reason[0] != '\0');
	EXPECT(plan.actions[index].key[0] != '\0');
}

static void expect_only(int rule, enum fleet_action_kind kind, int64_t worker_id)
{
	EXPECT_INT(plan.action_count, 1);
	expect_action(0, rule, kind, worker_id);
}

static void expect_nothing(const struct fleet_policy *policy)
{
	decide(policy);
	EXPECT_INT(plan.action_count, 0);
}

static const struct fleet_wait *expect_wait(enum fleet_wait_code code, uint64_t count)
{
	for (size_t i = 0; i < plan.wait_count; i++) {
		if (plan.waits[i].code != code)
			continue;
		EXPECT_INT(plan.waits[i].count, count);
		EXPECT(plan.waits[i].text[0] != '\0');
		EXPECT(plan.waits[i].next[0] != '\0');
		return &plan.waits[i];
	}
	tap_fail(__FILE__, __LINE__, "no wait \"%s\"", fleet_wait_code_name(code));
}

TEST(the_table_is_well_formed)
{
	const struct fleet_rule_text *rule = NULL;
	size_t count = 0;

	for (; (rule = fleet_rule_text(count)) != NULL; count++) {
		EXPECT(rule->number > 100 && rule->number < 200);
		EXPECT(rule->kind > FLEET_ACTION_NONE && rule->kind < FLEET_ACTION_KIND_MAX);
		EXPECT(rule->name[0] != '\0' && strpbrk(rule->name, " |") == NULL);
		EXPECT(rule->reason[0] != '\0' && strpbrk(rule->reason, "|\n") == NULL);
		EXPECT(rule->detail[0] != '\0' && strpbrk(rule->detail, "|\n") == NULL);
		for (size_t i = 0; i < count; i++) {
			EXPECT(fleet_rule_text(i)->number != rule->number);
			EXPECT(strcmp(fleet_rule_text(i)->name, rule->name) != 0);
		}
	}
	EXPECT(count >= 20);
}

TEST(the_document_names_every_rule)
{
	CLEANUP(cleanup_buf) struct buf out;
	buf_init(&out, 64 * 1024);

	fleet_rules_document(&out);
	EXPECT(!out.overflowed);
	for (size_t i = 0; fleet_rule_text(i) != NULL; i++)
		EXPECT(strstr(out.data, fleet_rule_text(i)->name) != NULL);
}

TEST(rule_101_retires_a_worker_whose_server_is_gone)
{
	struct fleet_policy policy = fixture_policy();
	fixture_world(&world);
	struct fleet_worker *worker = fixture_worker(&world, WORKER_ACTIVE, 5 * MINUTE_US);

	worker->busy_slots = 1;
	worker->absent_looks = policy.absent_looks - 1;
	worker->absent_ms = 60000; /* a listing may lag */
	expect_nothing(&policy);
	worker->absent_looks = policy.absent_looks;
	worker->absent_ms = 60000;
	expect_nothing(&policy); /* its heartbeat is better evidence */
	worker->silent_ms = policy.alive_ms + 1;
	decide(&policy);
	expect_only(101, FLEET_RETIRE_WORKER, 1);
	EXPECT_INT(plan.actions[0].end, WORKER_DEAD);
	worker->created_us = NOW_US - 10 * SECOND_US; /* too young to be missed */
	expect_nothing(&policy);
}

TEST(rule_108_gives_an_intent_up)
{
	struct fleet_policy policy = fixture_policy();
	fixture_world(&world);
	struct fleet_worker *worker = fixture_worker(&world, WORKER_PROVISIONING, 2 * MINUTE_US);

	worker->server_id = 0;
	worker->absent_looks = policy.absent_looks;
	worker->absent_ms = 60000;
	fixture_unlist(&world, 1);
	decide(&policy);
	expect_only(108, FLEET_RETIRE_WORKER, 1);
	EXPECT_INT(plan.actions[0].end, WORKER_FAILED);
	worker->absent_looks = 0;
	worker->absent_ms = 60000;
	expect_nothing(&policy);
	worker->absent_looks = policy.absent_looks;
	worker->absent_ms = 60000;
	worker->created_us = NOW_US - 50 * SECOND_US; /* the answer may be on its way */
	expect_nothing(&policy);
}

TEST(rule_106_adopts_a_server_by_its_label)
{
	struct fleet_policy policy = fixture_policy();
	fixture_world(&world);
	struct fleet_worker *worker = fixture_worker(&world, WORKER_PROVISIONING, 2 * MINUTE_US);

	worker->server_id = 0;
	decide(&policy);
	expect_only(106, FLEET_ADOPT_SERVER, 1);
	EXPECT_INT(plan.actions[0].server_id, 1001);
	worker->state = WORKER_FAILED; /* an ended row, too: it is billed, then deleted */
	decide(&policy);
	expect_only(106, FLEET_ADOPT_SERVER, 1);
}

TEST(rule_103_deletes_a_worker_that_never_came_up)
{
	struct fleet_policy policy = fixture_policy();
	fixture_world(&world);
	struct fleet_worker *worker = fixture_worker(&world, WORKER_PROVISIONING, 11 * MINUTE_US);

	decide(&policy);
	expect_only(103, FLEET_DELETE_WORKER, 1);
	EXPECT_INT(plan.actions[0].cooling, FLEET_COOLING_NO_START);
	EXPECT_INT(plan.actions[0].end, WORKER_FAILED);
	worker->silent_ms = 5000; /* nobody could have heard it for longer */
	expect_nothing(&policy);
}

TEST(rule_104_deletes_a_server_that_could_not_be_set_up)
{
	struct fleet_policy policy = fixture_policy();
	fixture_world(&world);
	struct fleet_worker *worker = fixture_worker(&world, WORKER_PROVISIONING, 10 * SECOND_US);

	worker->operation = FLEET_OPERATION_RUNNING;
	expect_nothing(&policy);
	worker->operation = FLEET_OPERATION_FAILED;
	decide(&policy);
	expect_only(104, FLEET_DELETE_WORKER, 1);
	EXPECT_INT(plan.actions[0].cooling, FLEET_COOLING_NO_START);
}

TEST(rule_105_deletes_a_silent_worker)
{
	struct fleet_policy policy = fixture_policy();
	fixture_world(&world);
	fixture_worker(&world, WORKER_ACTIVE, 5 * MINUTE_US)->silent_ms = LEASE_TTL_MS;
	fixture_draining(&world, FLEET_DRAIN_OPERATOR, 5 * MINUTE_US)->busy_slots = 1;

	expect_nothing(&policy);
	world.workers[0].silent_ms = LEASE_TTL_MS + 1;
	world.workers[1].silent_ms = LEASE_TTL_MS + 1;
	decide(&policy);
	EXPECT_INT(plan.action_count, 2);
	for (size_t i = 0; i < 2; i++)
		expect_action(i, 105, FLEET_DELETE_WORKER, (int64_t)i + 1);
}

TEST(rule_112_deletes_the_server_of_an_ended_worker)
{
	struct fleet_policy policy = fixture_policy();
	fixture_world(&world);
	struct fleet_worker *worker = fixture_worker(&world, WORKER_DEAD, 5 * MINUTE_US);

	decide(&policy);
	expect_only(112, FLEET_DELETE_SERVER, 1);
	EXPECT_INT(plan.actions[0].server_id, 1001);
	worker->delete_us = NOW_US - 10 * SECOND_US; /* it takes its time */
	expect_nothing(&policy);
	worker->delete_us = NOW_US - MINUTE_US;
	decide(&policy);
	expect_only(112, FLEET_DELETE_SERVER, 1);
	world.servers[0].is_deleting = true;
	expect_nothing(&policy);
}

TEST(rule_113_closes_the_books)
{
	struct fleet_policy policy = fixture_policy();
	fixture_world(&world);
	struct fleet_worker *worker = fixture_worker(&world, WORKER_TERMINATED, 5 * MINUTE_US);

	fixture_unlist(&world, 1);
	worker->delete_us = NOW_US - 10 * SECOND_US;
	worker->absent_looks = policy.absent_looks;
	worker->absent_ms = 60000;
	decide(&policy);
	expect_only(113, FLEET_FORGET_SERVER, 1);
	worker->absent_looks = 1;
	worker->absent_ms = 60000;
	expect_nothing(&policy);
}

TEST(rule_114_deletes_orphans)
{
	struct fleet_policy policy = fixture_policy();
	fixture_world(&world);
	struct fleet_server *server = fleet_world_add_server(&world);

	*server = (struct fleet_server){
		.id = 77, .worker_id = 9, .created_us = NOW_US - 16 * MINUTE_US};
	decide(&policy);
	expect_only(114, FLEET_DELETE_SERVER, 0);
	EXPECT_INT(plan.actions[0].server_id, 77);
	world.listing_is_new = false; /* this one has been told already */
	expect_nothing(&policy);
	world.listing_is_new = true;
	server->created_us = NOW_US - 10 * MINUTE_US;
	expect_nothing(&policy);
}

TEST(rule_128_deletes_builders_that_were_left)
{
	struct fleet_policy policy = fixture_policy();
	fixture_world(&world);
	struct fleet_server *server = fleet_world_add_server(&world);

	/* Past the age of an orphan, a bake may still be at work. */
	*server = (struct fleet_server){
		.id = 78, .is_builder = true, .created_us = NOW_US - 59 * MINUTE_US};
	expect_nothing(&policy);
	server->created_us = NOW_US - 61 * MINUTE_US;
	decide(&policy);
	expect_only(128, FLEET_DELETE_SERVER, 0);
	EXPECT_INT(plan.actions[0].server_id, 78);
}

TEST(a_builder_takes_no_workers_place)
{
	struct fleet_policy policy = fixture_policy();
	fixture_world(&world);
	struct fleet_server *server = fleet_world_add_server(&world);

	policy.max = 1;
	*server = (struct fleet_server){
		.id = 78, .is_builder = true, .created_us = NOW_US - MINUTE_US};
	fixture_jobs(&world, 1);
	decide(&policy);
	expect_only(117, FLEET_CREATE_WORKER, 0);
}

TEST(a_server_whose_label_is_lost_is_no_orphan)
{
	struct fleet_policy policy = fixture_policy();
	fixture_world(&world);
	fixture_worker(&world, WORKER_ACTIVE, 20 * MINUTE_US);

	world.servers[0].worker_id = 0;
	expect_nothing(&policy);
}

TEST(rule_107_drains_everything_when_the_grid_stops)
{
	struct fleet_policy policy = fixture_policy();
	fixture_world(&world);
	fixture_worker(&world, WORKER_ACTIVE, 5 * MINUTE_US);
	fixture_draining(&world, FLEET_DRAIN_IDLE, 5 * MINUTE_US)->busy_slots = 1;
	fixture_worker(&world, WORKER_ACTIVE, 5 * MINUTE_US)->busy_slots = 2;
	fixture_jobs(&world, 9);

	world.stopping = true;
	policy.min = 4;
	decide(&policy);
	EXPECT_INT(plan.action_count, 2);
	expect_action(0, 107, FLEET_DRAIN_WORKER, 1);
	expect_action(1, 107, FLEET_DRAIN_WORKER, 3);
	EXPECT_INT(plan.actions[0].drain, FLEET_DRAIN_STOP);
	expect_wait(FLEET_WAIT_STOPPING, 9);
}

TEST(rule_109_drains_idle_ones_first_then_the_newest)
{
	struct fleet_policy policy = fixture_policy();
	fixture_world(&world);
	policy.max = 2;
	for (int i = 0; i < 4; i++)
		fixture_worker(&world, WORKER_ACTIVE, 5 * MINUTE_US);
	world.workers[3].busy_slots = 1;
	decide(&policy);
	EXPECT_INT(plan.action_count, 2);
	expect_action(0, 109, FLEET_DRAIN_WORKER, 3);
	expect_action(1, 109, FLEET_DRAIN_WORKER, 2);
}

TEST(rule_115_drains_the_aged_a_few_at_a_time)
{
	struct fleet_policy policy = fixture_policy();
	fixture_world(&world);
	policy.age_max_ms = 24 * 3600 * 1000;
	policy.min = 4;
	policy.max = 5;
	for (int i = 0; i < 4; i++)
		fixture_worker(&world, WORKER_ACTIVE, 25 * HOUR_US)->busy_slots = 2;
	decide(&policy);
	EXPECT_INT(plan.action_count, 2);
	expect_action(0, 115, FLEET_DRAIN_WORKER, 1);
	expect_action(1, 111, FLEET_CREATE_WORKER, 0);
	fixture_apply(&world, &plan);
	expect_nothing(&policy);
}

TEST(rule_116_takes_draining_workers_back_before_it_creates)
{
	struct fleet_policy policy = fixture_policy();
	fixture_world(&world);
	fixture_draining(&world, FLEET_DRAIN_OPERATOR, 5 * MINUTE_US)->busy_slots = 1;
	fixture_draining(&world, FLEET_DRAIN_IDLE, 59 * MINUTE_US);
	fixture_draining(&world, FLEET_DRAIN_PACK, 59 * MINUTE_US)->busy_slots = 1;
	fixture_jobs(&world, 5);

	decide(&policy);
	EXPECT_INT(plan.action_count, 3);
	expect_action(0, 116, FLEET_UNDRAIN_WORKER, 3);
	expect_action(1, 116, FLEET_UNDRAIN_WORKER, 2);
	expect_action(2, 117, FLEET_CREATE_WORKER, 0);
	expect_wait(FLEET_WAIT_CLAIM, 3);
	expect_wait(FLEET_WAIT_CREATING, 2);
}

TEST(rule_117_creates_what_is_missing)
{
	struct fleet_policy policy = fixture_policy();
	fixture_world(&world);
	fixture_worker(&world, WORKER_ACTIVE, 5 * MINUTE_US)->busy_slots = 1;
	fixture_worker(&world, WORKER_PROVISIONING, 12 * SECOND_US);
	fixture_jobs(&world, 8);
	decide(&policy); /* 1 free, 2 boot, 4 on two new ones, 1 over the maximum */
	EXPECT_INT(plan.action_count, 2);
	expect_action(0, 117, FLEET_CREATE_WORKER, 0);
	expect_action(1, 117, FLEET_CREATE_WORKER, 0);
	EXPECT(strcmp(plan.actions[0].key, plan.actions[1].key) != 0);
	expect_wait(FLEET_WAIT_CLAIM, 1);
	EXPECT_STR(expect_wait(FLEET_WAIT_BOOTING, 2)->text,
		   "a worker boots, since 12 s: cx23 in nbg1");
	EXPECT_STR(expect_wait(FLEET_WAIT_CREATING, 4)->text, "a worker is created: cx23 in nbg1");
	EXPECT_STR(expect_wait(FLEET_WAIT_MAXIMUM, 1)->text,
		   "the fleet is at its maximum of 4 workers");
}

TEST(servers_that_are_going_still_count)
{
	struct fleet_policy policy = fixture_policy();
	fixture_world(&world);
	fixture_worker(&world, WORKER_DEAD, 5 * MINUTE_US)->delete_us = NOW_US;
	fixture_jobs(&world, 1);

	policy.max = 1;
	expect_nothing(&policy);
	expect_wait(FLEET_WAIT_MAXIMUM, 1);
}

TEST(resources_decide_what_fits)
{
	struct fleet_policy policy = fixture_policy();
	const struct fleet_shape large = {
		.cpu_millis = 4000, .memory_bytes = 6 * GIB, .count = 1, .oldest_ms = 1};
	fixture_world(&world);
	policy.slots = 8;
	world.choices[0].cpu_millis = 2000;
	world.choices[0].memory_bytes = 4 * GIB;
	fixture_jobs(&world, 4); /* of one cpu each: two workers */
	decide(&policy);
	EXPECT_INT(plan.action_count, 2);

	fleet_world_add_shape(&world, &large);
	decide(&policy);
	EXPECT_INT(plan.action_count, 2);
	EXPECT_STR(expect_wait(FLEET_WAIT_TOO_LARGE, 1)->text,
		   "no server type has 4000 cpu millis and 6144 MiB");

	struct fleet_choice *choice = fixture_choice(&world, "cx43", "nbg1");
	choice->cpu_millis = 8000;
	choice->memory_bytes = 16 * GIB;
	decide(&policy); /* the large one takes all the small ones along */
	expect_only(117, FLEET_CREATE_WORKER, 0);
	EXPECT_INT(plan.actions[0].choice, 1);
}

TEST(a_choice_that_cools_is_passed_over)
{
	struct fleet_policy policy = fixture_policy();
	fixture_world(&world);
	fixture_choice(&world, "cx23", "hel1");
	fixture_jobs(&world, 1);
	fixture_cool(&world, 0, FLEET_COOLING_SOLD_OUT, NOW_US + MINUTE_US);
	decide(&policy);
	expect_only(117, FLEET_CREATE_WORKER, 0);
	EXPECT_INT(plan.actions[0].choice, 1);
	EXPECT_STR(expect_wait(FLEET_WAIT_CREATING, 1)->text,
		   "cx23 in nbg1 is sold out, so a worker is created: cx23 in hel1");

	fixture_cool(&world, 1, FLEET_COOLING_NO_START, NOW_US + 2 * MINUTE_US);
	expect_nothing(&policy);
	const struct fleet_wait *wait = expect_wait(FLEET_WAIT_COOLING, 1);
	EXPECT_STR(wait->text, "cx23 in nbg1 is sold out, cx23 in hel1 did not start");
	EXPECT_INT(wait->until_us, NOW_US + MINUTE_US);
	world.now_us += MINUTE_US;
	decide(&policy);
	EXPECT_INT(plan.action_count, 1);
	EXPECT_INT(plan.actions[0].choice, 0);
}

TEST(every_limit_is_a_named_wait)
{
	struct fleet_policy policy = fixture_policy();
	struct fleet_policy limited = policy;
	fixture_world(&world);
	fixture_jobs(&world, 1);

	world.is_paused = true;
	expect_nothing(&policy);
	expect_wait(FLEET_WAIT_PAUSED, 1);
	world.is_paused = false;
	world.quota_until_us = NOW_US + 1;
	expect_nothing(&policy);
	EXPECT_INT(expect_wait(FLEET_WAIT_QUOTA, 1)->until_us, NOW_US + 1);
	world.quota_until_us = NOW_US;
	world.trouble_until_us = NOW_US + 1;
	expect_nothing(&policy);
	expect_wait(FLEET_WAIT_TROUBLE, 1);
	world.trouble_until_us = 0;
	world.requests_left = policy.requests_reserve + 1;
	expect_nothing(&policy);
	expect_wait(FLEET_WAIT_RATE, 1);
	world.requests_left = UINT64_MAX;
	world.network_members = 100;
	limited.network_limit = 100;
	expect_nothing(&limited);
	expect_wait(FLEET_WAIT_NETWORK, 1);
	limited = policy;
	limited.spend_limit_micros = 10000;
	world.spent_micros = 1201;
	expect_nothing(&limited);
	expect_wait(FLEET_WAIT_MONEY, 1);
	world.spent_micros = 1200;
	decide(&limited);
	EXPECT_INT(plan.action_count, 1);
	world.choices[0].withdrawn = true;
	expect_nothing(&policy);
	expect_wait(FLEET_WAIT_NO_CHOICE, 1);
}

TEST(placement_and_bursts_are_limited)
{
	struct fleet_policy policy = fixture_policy();
	fixture_world(&world);
	fixture_jobs(&world, 100);
	policy.max = 100;
	policy.creations_max = 3;
	decide(&policy);
	EXPECT_INT(plan.action_count, 3);
	expect_wait(FLEET_WAIT_BURST, 94);
	policy.placement_limit = 2;
	decide(&policy);
	EXPECT_INT(plan.action_count, 2);
	expect_wait(FLEET_WAIT_PLACEMENT, 96);
}

TEST(rules_111_and_125_keep_the_minimum)
{
	struct fleet_policy policy = fixture_policy();
	fixture_world(&world);
	fixture_worker(&world, WORKER_ACTIVE, 5 * MINUTE_US);
	fixture_worker(&world, WORKER_PROVISIONING, 5 * SECOND_US);
	fixture_draining(&world, FLEET_DRAIN_IDLE, 59 * MINUTE_US);
	policy.min = 4;
	decide(&policy);
	EXPECT_INT(plan.action_count, 2);
	expect_action(0, 125, FLEET_UNDRAIN_WORKER, 3);
	expect_action(1, 111, FLEET_CREATE_WORKER, 0);
}

TEST(rules_118_and_126_keep_idle_ones_warm)
{
	struct fleet_policy policy = fixture_policy();
	fixture_world(&world);
	fixture_worker(&world, WORKER_ACTIVE, 5 * MINUTE_US)->busy_slots = 1;
	fixture_draining(&world, FLEET_DRAIN_IDLE, 59 * MINUTE_US);
	policy.warm = 2;
	decide(&policy);
	EXPECT_INT(plan.action_count, 2);
	expect_action(0, 126, FLEET_UNDRAIN_WORKER, 2);
	expect_action(1, 118, FLEET_CREATE_WORKER, 0);
}

TEST(rule_120_drains_an_idle_worker_just_before_its_hour)
{
	struct fleet_policy policy = fixture_policy();
	fixture_world(&world);
	struct fleet_worker *worker = fixture_worker(&world, WORKER_ACTIVE, 59 * MINUTE_US);

	decide(&policy);
	expect_only(120, FLEET_DRAIN_WORKER, 1);
	EXPECT_INT(plan.actions[0].drain, FLEET_DRAIN_IDLE);
	worker->server_created_us = NOW_US - 57 * MINUTE_US; /* paid for: it stays */
	expect_nothing(&policy);
	worker->server_created_us = NOW_US - HOUR_US + 10 * SECOND_US; /* too late */
	expect_nothing(&policy);
	worker->server_created_us = NOW_US - 59 * MINUTE_US;
	worker->busy_slots = 1;
	expect_nothing(&policy);
	worker->busy_slots = 0;
	worker->idle_since_us = NOW_US - SECOND_US;
	expect_nothing(&policy);
	worker->idle_since_us = NOW_US - MINUTE_US;
	policy.min = 1;
	expect_nothing(&policy);
	policy.min = 0;
	policy.warm = 1;
	expect_nothing(&policy);
	policy.warm = 0;
	fixture_jobs(&world, 1); /* it is about to take one */
	expect_nothing(&policy);
}

TEST(rule_124_goes_below_the_minimum_when_the_money_is_spent)
{
	struct fleet_policy policy = fixture_policy();
	fixture_world(&world);
	fixture_worker(&world, WORKER_ACTIVE, 59 * MINUTE_US);
	policy.min = 1;
	policy.spend_limit_micros = 10000;
	world.spent_micros = 8800;
	decide(&policy);
	expect_only(124, FLEET_DRAIN_WORKER, 1);
	fixture_apply(&world, &plan);
	decide(&policy);
	expect_only(123, FLEET_DELETE_WORKER, 1);
}

TEST(rules_121_and_122_pack)
{
	struct fleet_policy policy = fixture_policy();
	fixture_world(&world);
	fixture_worker(&world, WORKER_ACTIVE, 20 * MINUTE_US);
	struct fleet_worker *busy = fixture_worker(&world, WORKER_ACTIVE, 55 * MINUTE_US);

	busy->busy_slots = 1;
	decide(&policy);
	expect_only(121, FLEET_DRAIN_WORKER, 2);
	EXPECT_INT(plan.actions[0].drain, FLEET_DRAIN_PACK);
	world.workers[0].busy_slots = 1; /* no room there for two */
	expect_nothing(&policy);
	world.workers[0].busy_slots = 0;
	fixture_jobs(&world, 1);
	expect_nothing(&policy);

	world.shape_count = 0;
	busy->state = WORKER_DRAINING;
	busy->drain = FLEET_DRAIN_PACK;
	expect_nothing(&policy);
	busy->server_created_us = NOW_US - HOUR_US - SECOND_US;
	decide(&policy);
	expect_only(122, FLEET_UNDRAIN_WORKER, 2);
	busy->server_created_us = NOW_US - 59 * MINUTE_US;
	busy->busy_slots = 0;
	decide(&policy);
	expect_only(123, FLEET_DELETE_WORKER, 2);
}

TEST(rule_123_deletes_what_has_drained)
{
	struct fleet_policy policy = fixture_policy();
	fixture_world(&world);
	struct fleet_worker *worker = fixture_draining(&world, FLEET_DRAIN_IDLE, 59 * MINUTE_US);

	decide(&policy);
	expect_only(123, FLEET_DELETE_WORKER, 1);
	EXPECT_INT(plan.actions[0].end, WORKER_TERMINATED);
	worker->busy_slots = 1;
	expect_nothing(&policy);
	worker->busy_slots = 0;
	policy.drained_ms = 30000; /* it may leave by itself */
	expect_nothing(&policy);
	world.now_us += 31 * SECOND_US;
	decide(&policy);
	EXPECT_INT(plan.actions[plan.action_count - 1].rule, 123);
}
