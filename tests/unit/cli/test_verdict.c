#include "cli/verdict.h"

#include "tap.h"

static int exit_code_of(const char *text)
{
	CLEANUP(cleanup_json) json_t *job = NULL;
	struct error err;

	EXPECT_OK(json_parse(text, strlen(text), &job, &err), err);
	return verdict_exit_code(job);
}

TEST(exit_codes)
{
	EXPECT_INT(exit_code_of("{\"outcome\": \"completed\", \"exit_code\": 0}"), 0);
	EXPECT_INT(exit_code_of("{\"outcome\": \"failed\", \"exit_code\": 3}"), 3);
	EXPECT_INT(exit_code_of("{\"outcome\": \"failed\", \"exit_code\": 139}"), 139);
	EXPECT_INT(exit_code_of("{\"outcome\": \"timed_out\", \"exit_code\": 137}"), 124);
	EXPECT_INT(exit_code_of("{\"outcome\": \"out_of_memory\"}"), 137);
	EXPECT_INT(exit_code_of("{\"outcome\": \"lost\"}"), 125);
	EXPECT_INT(exit_code_of("{\"outcome\": \"system_error\"}"), 125);
	EXPECT_INT(exit_code_of("{\"outcome\": \"cancelled\"}"), 130);
	EXPECT_INT(exit_code_of("{\"outcome\": null, \"state\": \"cancelled\"}"), 130);
}

TEST(failure_never_looks_like_success)
{
	EXPECT_INT(exit_code_of("{\"outcome\": \"failed\", \"exit_code\": 0}"), 1);
	EXPECT_INT(exit_code_of("{\"outcome\": \"failed\", \"exit_code\": 256}"), 1);
	EXPECT_INT(exit_code_of("{\"outcome\": \"out_of_disk\"}"), 1);
	EXPECT_INT(exit_code_of("{\"outcome\": \"invented\", \"exit_code\": 0}"), 125);
	EXPECT_INT(exit_code_of("{}"), 125);
}

TEST(options_that_came_too_late)
{
	EXPECT(verdict_is_misplaced_option("--memory"));
	EXPECT(verdict_is_misplaced_option("--memory=1G"));
	EXPECT(!verdict_is_misplaced_option("--memory-map"));
	EXPECT(!verdict_is_misplaced_option("--epochs"));
}
