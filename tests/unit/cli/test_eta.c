#include "cli/eta.h"

#include "tap.h"

TEST(nothing_to_estimate_from)
{
	struct eta eta = {0};
	uint64_t left_ms;

	EXPECT(!eta_left_ms(&eta, 10, &left_ms));
	eta_note(&eta, 0, 0);
	EXPECT(!eta_left_ms(&eta, 10, &left_ms));
	eta_note(&eta, 5000, 0);
	EXPECT(!eta_left_ms(&eta, 10, &left_ms));
}

TEST(a_steady_rate)
{
	struct eta eta = {0};
	uint64_t left_ms = 0;

	for (uint64_t second = 0; second <= 10; second++)
		eta_note(&eta, second * 1000, second * 2);
	EXPECT_INT(eta_rate_milli(&eta), 2000);
	EXPECT(eta_left_ms(&eta, 100, &left_ms));
	EXPECT_INT(left_ms, 40000);
	EXPECT(eta_left_ms(&eta, 20, &left_ms));
	EXPECT_INT(left_ms, 0);
}

TEST(a_slow_start_is_forgotten)
{
	struct eta eta = {0};

	for (uint64_t second = 0; second <= 300; second++)
		eta_note(&eta, second * 1000, second < 200 ? 0 : (second - 200) * 5);
	EXPECT_INT(eta_rate_milli(&eta), 5000);
}

TEST(frequent_samples_do_not_push_the_window)
{
	struct eta eta = {0};

	for (uint64_t tick = 0; tick <= 10000; tick++)
		eta_note(&eta, tick, tick);
	EXPECT(eta.count > 5 && eta.count <= ETA_SAMPLES);
	EXPECT_INT(eta_rate_milli(&eta), 1000 * 1000);
}
