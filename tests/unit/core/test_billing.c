#include "core/billing.h"

#include "base/cleanup.h"
#include "tap.h"

#define HOUR BILLING_HOUR_US

TEST(every_started_hour_is_billed)
{
	EXPECT_INT(billing_hours_started(1000, 1000), 1);
	EXPECT_INT(billing_hours_started(1000, 1001), 1);
	EXPECT_INT(billing_hours_started(1000, 1000 + HOUR), 1);
	EXPECT_INT(billing_hours_started(1000, 1001 + HOUR), 2);
	EXPECT_INT(billing_hours_started(0, 10 * HOUR), 10);
	EXPECT_INT(billing_hours_started(1000, 999), 0);
}

TEST(an_hour_ends_where_the_next_is_not_billed_yet)
{
	EXPECT_INT(billing_hour_end(1000, 1000), 1000 + HOUR);
	EXPECT_INT(billing_hour_end(1000, 1000 + HOUR), 1000 + HOUR);
	EXPECT_INT(billing_hour_end(1000, 1001 + HOUR), 1000 + 2 * HOUR);
	EXPECT_INT(billing_hour_end(1000, 0), 1000 + HOUR);
	for (int64_t now = 7; now < 5 * HOUR; now += HOUR / 7 + 1) {
		int64_t end = billing_hour_end(7, now);
		EXPECT(end >= now && end < now + HOUR + 1);
		EXPECT_INT(billing_hours_started(7, end), billing_hours_started(7, now));
		EXPECT_INT(billing_hours_started(7, end + 1), billing_hours_started(7, now) + 1);
	}
}

TEST(costs_do_not_overflow)
{
	EXPECT_INT(billing_cost(8800, 3), 26400);
	EXPECT_INT(billing_cost(0, UINT64_MAX), 0);
	EXPECT_INT(billing_cost(INT64_MAX / 2, 3), INT64_MAX);
	EXPECT_INT(billing_month_capped(100, 90), 90);
	EXPECT_INT(billing_month_capped(80, 90), 80);
	EXPECT_INT(billing_month_capped(80, 0), 80);
}

TEST(an_hour_is_shared_by_slots_and_time)
{
	int64_t idle = -1;
	struct billing_use uses[] = {
		{.from_us = 0, .to_us = HOUR / 2, .slots = 1},
		{.from_us = -HOUR, .to_us = HOUR / 4, .slots = 1}, /* began before */
		{.from_us = HOUR, .to_us = 2 * HOUR, .slots = 1},  /* not in this hour */
	};
	billing_share(0, HOUR, 2, 8000, uses, ARRAY_SIZE(uses), &idle);
	EXPECT_INT(uses[0].ret_micros, 2000);
	EXPECT_INT(uses[1].ret_micros, 1000);
	EXPECT_INT(uses[2].ret_micros, 0);
	EXPECT_INT(idle, 5000);

	billing_share(0, HOUR, 2, 8000, uses, 0, &idle);
	EXPECT_INT(idle, 8000);
	billing_share(0, 0, 2, 8000, uses, 1, &idle);
	EXPECT_INT(idle, 8000);
	EXPECT_INT(uses[0].ret_micros, 0);
}

TEST(the_rest_goes_to_the_largest_remainder)
{
	int64_t idle = -1;
	struct billing_use uses[] = {
		{.from_us = 0, .to_us = HOUR, .slots = 1},
		{.from_us = 0, .to_us = HOUR, .slots = 1},
		{.from_us = 0, .to_us = HOUR, .slots = 1},
	};
	billing_share(0, HOUR, 3, 100, uses, ARRAY_SIZE(uses), &idle);
	EXPECT_INT(uses[0].ret_micros, 34);
	EXPECT_INT(uses[1].ret_micros, 33);
	EXPECT_INT(uses[2].ret_micros, 33);
	EXPECT_INT(idle, 0);
}

TEST(too_many_uses_shrink_evenly)
{
	int64_t idle = -1;
	struct billing_use uses[] = {
		{.from_us = 0, .to_us = HOUR, .slots = 2},
		{.from_us = 0, .to_us = HOUR, .slots = 2},
	};
	billing_share(0, HOUR, 2, 1000, uses, ARRAY_SIZE(uses), &idle);
	EXPECT_INT(uses[0].ret_micros, 500);
	EXPECT_INT(uses[1].ret_micros, 500);
	EXPECT_INT(idle, 0);
}

static uint64_t random_below(uint64_t *state, uint64_t bound)
{
	*state = *state * 6364136223846793005U + 1442695040888963407U;
	return (*state >> 20) % bound;
}

#define USES 40

/* Shares sum to the bill, none is negative, none is further than 1 from its exact value. */
TEST(shares_sum_to_the_bill)
{
	uint64_t state = 42;

	for (int round = 0; round < 4000; round++) {
		struct billing_use uses[USES] = {0};
		uint32_t slots = 1 + (uint32_t)random_below(&state, 64);
		int64_t length = 1 + (int64_t)random_below(&state, 30 * 24) * HOUR;
		int64_t cost = (int64_t)random_below(&state, UINT64_C(1) << (round % 43));
		size_t count = (size_t)random_below(&state, USES);
		int64_t idle = 0;
		int64_t sum = 0;

		for (size_t i = 0; i < count; i++) {
			uses[i].from_us = (int64_t)random_below(&state, (uint64_t)length);
			uses[i].to_us = (int64_t)random_below(&state, (uint64_t)length);
			uses[i].slots = 1 + (uint32_t)random_below(&state, 3);
		}
		billing_share(0, length, slots, cost, uses, count, &idle);
		for (size_t i = 0; i < count; i++) {
			int64_t lasted = uses[i].to_us - uses[i].from_us;
			long double exact = lasted > 0 ? (long double)cost * (long double)lasted *
								 uses[i].slots / slots /
								 (long double)length
						       : 0;
			EXPECT(uses[i].ret_micros >= 0);
			EXPECT((long double)uses[i].ret_micros < exact + 1);
			sum += uses[i].ret_micros;
		}
		EXPECT(idle >= 0);
		EXPECT_INT(sum + idle, cost);
	}
}
