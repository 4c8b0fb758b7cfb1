#include "core/job.h"

#include "tap.h"

TEST(every_outcome_has_a_name_and_a_message)
{
	for (enum outcome outcome = OUTCOME_COMPLETED; outcome < OUTCOME_MAX; outcome++) {
		EXPECT(outcome_name(outcome)[0] != '\0');
		EXPECT(outcome_message(outcome)[0] != '\0');
		for (enum outcome other = OUTCOME_COMPLETED; other < outcome; other++)
			EXPECT(strcmp(outcome_name(outcome), outcome_name(other)) != 0);
	}
}

TEST(exit_code_is_the_scripts_own_unless_the_outcome_has_one)
{
	EXPECT_INT(outcome_exit_code(OUTCOME_COMPLETED, 0), 0);
	EXPECT_INT(outcome_exit_code(OUTCOME_FAILED, 3), 3);
	EXPECT_INT(outcome_exit_code(OUTCOME_TIMED_OUT, 137), 124);
	EXPECT_INT(outcome_exit_code(OUTCOME_OUT_OF_MEMORY, 1), 137);
	EXPECT_INT(outcome_exit_code(OUTCOME_CANCELLED, 0), 130);
	EXPECT_INT(outcome_exit_code(OUTCOME_LOST, 0), 125);
}

TEST(state_names_are_read_back)
{
	enum job_state parsed;

	for (enum job_state state = JOB_QUEUED; state < JOB_STATE_MAX; state++) {
		EXPECT(job_state_parse(job_state_name(state), &parsed));
		EXPECT_INT(parsed, state);
	}
	EXPECT(!job_state_parse("", &parsed));
	EXPECT(!job_state_parse("Queued", &parsed));
	EXPECT(!job_state_parse("terminated", &parsed));
}

TEST(stream_names_are_read_back)
{
	enum log_stream parsed;

	for (enum log_stream stream = STREAM_STDOUT; stream <= STREAM_SYSTEM; stream++) {
		EXPECT(log_stream_parse(log_stream_name(stream), &parsed));
		EXPECT_INT(parsed, stream);
	}
	EXPECT(!log_stream_parse("stdin", &parsed));
}

static bool is_ended(enum worker_state state)
{
	return state == WORKER_TERMINATED || state == WORKER_DEAD || state == WORKER_FAILED;
}

TEST(ended_workers_never_come_back)
{
	for (enum worker_state from = WORKER_PROVISIONING; from < WORKER_STATE_MAX; from++)
		for (enum worker_state to = WORKER_PROVISIONING; to < WORKER_STATE_MAX; to++)
			EXPECT(!is_ended(from) || !worker_state_may_become(from, to));
}

TEST(live_workers_move_forward_but_for_draining_ones)
{
	EXPECT(worker_state_may_become(WORKER_PROVISIONING, WORKER_ACTIVE));
	EXPECT(worker_state_may_become(WORKER_ACTIVE, WORKER_DRAINING));
	EXPECT(worker_state_may_become(WORKER_DRAINING, WORKER_TERMINATED));
	EXPECT(worker_state_may_become(WORKER_DRAINING, WORKER_ACTIVE));
	EXPECT(worker_state_may_become(WORKER_DRAINING, WORKER_PROVISIONING));
	EXPECT(!worker_state_may_become(WORKER_ACTIVE, WORKER_PROVISIONING));
	for (enum worker_state from = WORKER_PROVISIONING; from <= WORKER_DRAINING; from++) {
		EXPECT(worker_state_may_become(from, WORKER_TERMINATED));
		EXPECT(worker_state_may_become(from, WORKER_DEAD));
		EXPECT(!worker_state_may_become(from, from));
	}
	/* "failed" means that it never came up */
	EXPECT(worker_state_may_become(WORKER_PROVISIONING, WORKER_FAILED));
	EXPECT(!worker_state_may_become(WORKER_ACTIVE, WORKER_FAILED));
}
