#include "worker/pace.h"

#include "core/limits.h"
#include "tap.h"

TEST(polling_slows_down_and_wakes_up)
{
	struct pace pace;

	pace_init(&pace);
	EXPECT_INT(pace.poll_ms, PACE_POLL_MIN_MS);
	for (int i = 0; i < 20; i++)
		pace_claimed(&pace, 0);
	EXPECT_INT(pace.poll_ms, PACE_POLL_MAX_MS);
	pace_claimed(&pace, 1);
	EXPECT_INT(pace.poll_ms, PACE_POLL_MIN_MS);
	pace_claimed(&pace, 0);
	(void)pace_woken(&pace, 1000, 0);
	EXPECT_INT(pace.poll_ms, PACE_POLL_MIN_MS);
}

TEST(a_word_on_an_idle_grid_is_followed_at_once_a_stream_of_words_is_spread)
{
	struct pace pace;

	pace_init(&pace);
	EXPECT_INT(pace_woken(&pace, 1000, 3), 0);
	EXPECT_INT(pace_woken(&pace, 1001, 3), 3);
	EXPECT_INT(pace_woken(&pace, 1002, PACE_POLL_MIN_MS), 0);
	EXPECT_INT(pace_woken(&pace, 1001 + PACE_CALM_MS, 3), 3);
	EXPECT_INT(pace_woken(&pace, 1001 + 2 * PACE_CALM_MS, 3), 0);
}

TEST(waits_are_spread_around_the_interval)
{
	struct pace pace = {.poll_ms = 1000};

	for (uint64_t random = 0; random < 5000; random += 7) {
		EXPECT(pace_wait_ms(&pace, random) >= 750);
		EXPECT(pace_wait_ms(&pace, random) <= 1250);
	}
	EXPECT(pace_wait_ms(&pace, 0) != pace_wait_ms(&pace, 300));
}

TEST(only_short_jobs_are_prefetched)
{
	struct pace pace;

	pace_init(&pace);
	EXPECT_INT(pace_prefetch(&pace, 2), 0);
	for (int i = 0; i < PACE_SAMPLES_MIN; i++)
		pace_job_ended(&pace, 20 * 1000);
	EXPECT_INT(pace_prefetch(&pace, 2), 2 * PACE_PREFETCH_PER_SLOT);
	EXPECT_INT(pace_prefetch(&pace, LIMIT_SLOTS), LIMIT_PREFETCH);
	/* One long job among the recent ones ends it. */
	pace_job_ended(&pace, 60ULL * 1000 * 1000);
	EXPECT_INT(pace_prefetch(&pace, 2), 0);
}

TEST(jobs_that_waited_in_vain_end_prefetching_for_a_while)
{
	struct pace pace;

	pace_init(&pace);
	for (int i = 0; i < 100; i++)
		pace_job_ended(&pace, 20 * 1000);
	pace_stalled(&pace);
	EXPECT_INT(pace_prefetch(&pace, 2), 0);
	for (int i = 0; i < PACE_SAMPLES_MIN; i++)
		pace_job_ended(&pace, 20 * 1000);
	EXPECT(pace_prefetch(&pace, 2) > 0);
}
