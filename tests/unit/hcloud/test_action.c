#include "hcloud/action.h"

#include "base/str.h"
#include "hcloud/state_file.h"
#include "tap.h"

static const struct sim_settings at_once = {
	.rate_limit = 3600, .server_limit = 5, .action_speed = ACTIONS_FIXED};
static const struct sim_settings never = {
	.rate_limit = 3600, .server_limit = 5, .action_speed = ACTIONS_FIXED, .action_ms = 3600000};
static struct sim sim;
static struct project *project;

static void begin_world(const struct sim_settings *settings)
{
	sim_init(&sim, NULL, settings, 1);
	project = sim_project(&sim, "p");
}

static json_t *begin(const char *command, int64_t id, int64_t after)
{
	return action_begin(&sim, project,
			    &(const struct action_request){
				    .command = command,
				    .resources = {{KIND_NETWORK, 77}, {KIND_SERVER, id}},
				    .after = after,
			    });
}

static void add_fault(const char *spec)
{
	json_t *fault = NULL;
	struct error err;

	EXPECT_OK(fault_parse(spec, &fault, &err), err);
	EXPECT_OK(faults_add(&sim.faults, fault, NULL, &err), err);
}

TEST(one_ends_when_its_time_has_come)
{
	begin_world(&at_once);
	json_t *action = begin("request_console", 5, 0);
	EXPECT_STR(doc_str(action, "status"), "running");
	EXPECT(doc_str(action, "finished") == NULL);
	action_run_due(&sim);
	EXPECT_STR(doc_str(action, "status"), "success");
	EXPECT_INT(doc_int(action, "progress"), 100);
	EXPECT(doc_str(action, "finished") != NULL);
	sim_release(&sim);
}

TEST(what_it_is_about_is_locked_and_what_it_changes)
{
	begin_world(&never);
	begin("request_console", 5, 0);
	EXPECT(action_is_running_on(&sim, project, KIND_SERVER, 5));
	EXPECT(!action_is_running_on(&sim, project, KIND_SERVER, 6));
	EXPECT(!action_is_running_on(&sim, project, KIND_NETWORK, 5));
	EXPECT(action_is_running_on(&sim, project, KIND_NETWORK, 77));
	EXPECT(action_is_changing(&sim, project, KIND_NETWORK, 77));
	EXPECT(!action_is_changing(&sim, project, KIND_SERVER, 5));
	EXPECT(!action_is_running_on(&sim, sim_project(&sim, "q"), KIND_SERVER, 5));
	action_run_due(&sim);
	EXPECT(action_is_running_on(&sim, project, KIND_SERVER, 5));
	sim_release(&sim);
}

TEST(followers_wait_and_fail_with_the_first)
{
	begin_world(&at_once);
	add_fault("action:command=reset_password,error=action_failed,message=broken");
	json_t *first = begin("reset_password", 5, 0);
	json_t *second = begin("request_console", 5, doc_id(first));
	json_t *third = begin("request_console", 5, doc_id(second));
	json_t *other = begin("request_console", 6, 0);
	action_run_due(&sim);
	EXPECT_STR(doc_str(first, "status"), "error");
	EXPECT_STR(doc_str(json_object_get(first, "error"), "message"), "broken");
	EXPECT_STR(doc_str(second, "status"), "error");
	EXPECT_STR(doc_str(third, "status"), "error");
	EXPECT_STR(doc_str(other, "status"), "success");
	EXPECT_INT(sim.running_count, 0);
	sim_release(&sim);
}

TEST(a_follower_of_one_that_has_ended_does_not_wait)
{
	begin_world(&at_once);
	json_t *first = begin("request_console", 5, 0);
	action_run_due(&sim);
	json_t *second = begin("request_console", 5, doc_id(first));
	action_run_due(&sim);
	EXPECT_STR(doc_str(second, "status"), "success");
	sim_release(&sim);
}

TEST(a_restart_keeps_what_runs_and_its_order)
{
	struct error err;

	begin_world(&never);
	int64_t first = doc_id(begin("request_console", 5, 0));
	int64_t second = doc_id(begin("request_console", 5, first));
	sim.state_path = "state.json";
	state_file_save(&sim);
	sim_release(&sim);

	begin_world(&at_once);
	sim.state_path = "state.json";
	EXPECT_OK(state_file_load(&sim, &err), err);
	EXPECT_INT(sim.running_count, 2);
	EXPECT(sim.next_id > second);
	EXPECT(action_is_running_on(&sim, project, KIND_SERVER, 5));
	sim_release(&sim);
}

TEST(a_file_that_is_no_state_is_refused)
{
	static const char truncated[] =
		"{\"version\":1,\"next_id\":4300000009,\"projects\":[{\"name\":\"p\",\"ledger\":[],"
		"\"tables\":{\"servers\":[{\"id\":4300000009}]}}]}";
	static const char *const texts[] = {
		"",
		"{}",
		"[]",
		"{\"version\":1}",
		"{\"version\":1,\"next_id\":4300000009,\"projects\":[{\"name\":\"p\"}]}",
		truncated};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		FILE *file = fopen("state.json", "w");
		struct error err;

		EXPECT(file != NULL && fputs(texts[i], file) >= 0 && fclose(file) == 0);
		begin_world(&at_once);
		sim.state_path = "state.json";
		EXPECT_ERR(state_file_load(&sim, &err), err, ERR_INVALID);
		sim_release(&sim);
	}
}
