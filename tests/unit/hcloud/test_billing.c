#include "hcloud/billing.h"

#include "tap.h"

#define HOUR 3600000000LL

TEST(every_started_hour)
{
	EXPECT_INT(billing_hours(0, 0, HOUR), 1);
	EXPECT_INT(billing_hours(0, 1, HOUR), 1);
	EXPECT_INT(billing_hours(0, HOUR, HOUR), 1);
	EXPECT_INT(billing_hours(0, HOUR + 1, HOUR), 2);
	EXPECT_INT(billing_hours(7 * HOUR + 5, 9 * HOUR + 6, HOUR), 3);
	/* A clock that went back costs an hour, as anything does. */
	EXPECT_INT(billing_hours(HOUR, 0, HOUR), 1);
	EXPECT_INT(billing_hours(0, HOUR, HOUR / 60), 60);
}

TEST(the_month_is_a_cap)
{
	EXPECT_INT(billing_cost(1, 8800, 5490000), 8800);
	EXPECT_INT(billing_cost(623, 8800, 5490000), 5482400);
	EXPECT_INT(billing_cost(700, 8800, 5490000), 5490000);
	EXPECT_INT(billing_cost(730, 8800, 5490000), 5490000);
	EXPECT_INT(billing_cost(731, 8800, 5490000), 5498800);
}
