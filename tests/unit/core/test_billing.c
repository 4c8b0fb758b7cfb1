#include "core/billing.h"

#include "base/cleanup.h"
#include "tap.h"

#define HOUR BILLING_HOUR_US

TEST(every_started_hour_is_billed)
{
	static const int64_t hours[] = {HOUR, HOUR / 60, 1000};

	for (size_t i = 0; i < ARRAY_SIZE(hours); i++) {
		int64_t hour = hours[i];

		EXPECT_INT(billing_hours_started(1000, 1000, hour), 1);
		EXPECT_INT(billing_hours_started(1000, 1001, hour), 1);
		EXPECT_INT(billing_hours_started(1000, 1000 + hour, hour), 1);
		EXPECT_INT(billing_hours_started(1000, 1001 + hour, hour), 2);
		EXPECT_INT(billing_hours_started(0, 10 * hour, hour), 10);
		EXPECT_INT(billing_hours_started(1000, 999, hour), 0);
	}
}

TEST(costs_do_not_overflow)
{
	EXPECT_INT(billing_cost(8800, 3), 26400);
	EXPECT_INT(billing_cost(0, UINT64_MAX), 0);
	EXPECT_INT(billing_cost(INT64_MAX / 2, 3), INT64_MAX);
}
