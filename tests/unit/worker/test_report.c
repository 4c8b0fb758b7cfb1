#include "worker/report.h"

#include "tap.h"

static const struct job_limits limits = {
	.memory_bytes = 512 * MIB,
	.timeout_ms = 2000,
	.pids = 20,
	.disk_bytes = 1 * GIB,
};

static enum outcome outcome_of(struct report_facts facts, const struct sandbox_result *result,
			       struct report *report)
{
	facts.limits = &limits;
	facts.result = result;
	report_ended(&facts, report);
	return report->outcome;
}

TEST(exit_codes_decide)
{
	struct sandbox_result result = {.exit_code = 0};
	struct report report;

	EXPECT_INT(outcome_of((struct report_facts){0}, &result, &report), OUTCOME_COMPLETED);
	EXPECT_STR(report.message, "");
	result.exit_code = 3;
	EXPECT_INT(outcome_of((struct report_facts){0}, &result, &report), OUTCOME_FAILED);
	EXPECT_INT(report.exit_code, 3);
	EXPECT_STR(report.message, "the script ended with exit code 3");
	result.exit_code = 139;
	EXPECT_INT(outcome_of((struct report_facts){0}, &result, &report), OUTCOME_FAILED);
	EXPECT_STR(report.message, "the script was killed by signal 11 (SIGSEGV)");
	result.exit_code = 255;
	EXPECT_INT(outcome_of((struct report_facts){0}, &result, &report), OUTCOME_FAILED);
	EXPECT_STR(report.message, "the script ended with exit code 255");
}

TEST(the_first_cause_wins)
{
	struct sandbox_result result = {
		.exit_code = 137,
		.out_of_memory = true,
		.out_of_pids = true,
		.out_of_disk = true,
	};
	struct report_facts facts = {.cancelled = true, .timed_out = true};
	struct report report;

	EXPECT_INT(outcome_of(facts, &result, &report), OUTCOME_CANCELLED);
	EXPECT_INT(report.exit_code, -1);
	facts.cancelled = false;
	EXPECT_INT(outcome_of(facts, &result, &report), OUTCOME_TIMED_OUT);
	EXPECT_INT(report.exit_code, -1);
	facts.timed_out = false;
	EXPECT_INT(outcome_of(facts, &result, &report), OUTCOME_OUT_OF_MEMORY);
	result.out_of_memory = false;
	EXPECT_INT(outcome_of(facts, &result, &report), OUTCOME_OUT_OF_PIDS);
	result.out_of_pids = false;
	EXPECT_INT(outcome_of(facts, &result, &report), OUTCOME_OUT_OF_DISK);
	result.out_of_disk = false;
	EXPECT_INT(outcome_of(facts, &result, &report), OUTCOME_FAILED);
}

TEST(a_limit_that_did_no_harm_is_no_failure)
{
	struct sandbox_result result = {.out_of_pids = true, .out_of_disk = true};
	struct report report;

	EXPECT_INT(outcome_of((struct report_facts){0}, &result, &report), OUTCOME_COMPLETED);
}

TEST(a_sandbox_that_did_not_start_is_our_fault)
{
	struct sandbox_result result = {.start_failed = true, .exit_code = 1, .message = "no"};
	struct report report;

	EXPECT_INT(outcome_of((struct report_facts){0}, &result, &report), OUTCOME_SYSTEM_ERROR);
	EXPECT_STR(report.message, "no");
	EXPECT_INT(report.exit_code, -1);
}
