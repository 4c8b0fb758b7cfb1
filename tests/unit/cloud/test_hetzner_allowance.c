#include "cloud/hetzner_allowance.h"

#include "tap.h"

TEST(nothing_told_permits_all)
{
	struct hetzner_allowance allowance = {.reserve = 100};

	EXPECT(hetzner_allowance_permits(&allowance, false, 0));
	EXPECT_INT(hetzner_allowance_wait_ms(&allowance, false, 0), 0);
}

/* A recorded exchange: 3591 of 3600 are left, and it is full again nine seconds later. */
TEST(reset_is_when_it_is_full)
{
	struct hetzner_allowance allowance = {0};

	hetzner_allowance_told(&allowance, 3600, 3591, 1000 + 9, 1000, 50000);
	EXPECT_INT(hetzner_allowance_left(&allowance, 50000), 3591);
	EXPECT_INT(hetzner_allowance_left(&allowance, 50999), 3591);
	EXPECT_INT(hetzner_allowance_left(&allowance, 51000), 3592);
	EXPECT_INT(hetzner_allowance_left(&allowance, 59000), 3600);
	EXPECT_INT(hetzner_allowance_left(&allowance, 10000000), 3600);
	EXPECT_INT(hetzner_allowance_left(&allowance, 0), 3591); /* a clock that went back */
}

TEST(deletions_may_use_the_reserve)
{
	struct hetzner_allowance allowance = {.reserve = 20};

	hetzner_allowance_told(&allowance, 3600, 20, 1000 + 3580, 1000, 0);
	EXPECT(!hetzner_allowance_permits(&allowance, false, 0));
	EXPECT(hetzner_allowance_permits(&allowance, true, 0));
	for (int i = 0; i < 20; i++)
		hetzner_allowance_spend(&allowance);
	EXPECT(!hetzner_allowance_permits(&allowance, true, 0));
	hetzner_allowance_spend(&allowance); /* does not wrap */
	EXPECT_INT(hetzner_allowance_left(&allowance, 0), 0);
}

TEST(the_wait_is_until_one_is_there)
{
	struct hetzner_allowance allowance = {.reserve = 20};

	hetzner_allowance_told(&allowance, 3600, 0, 1000 + 3600, 1000, 0);
	EXPECT_INT(hetzner_allowance_wait_ms(&allowance, true, 0), 1000);
	EXPECT_INT(hetzner_allowance_wait_ms(&allowance, true, 400), 600);
	EXPECT_INT(hetzner_allowance_wait_ms(&allowance, false, 0), 21000);
	EXPECT(hetzner_allowance_permits(&allowance, true, 1000));
	EXPECT(hetzner_allowance_permits(&allowance, false, 21000));
	EXPECT_INT(hetzner_allowance_wait_ms(&allowance, true, 1000), 0);
}

TEST(a_reserve_of_all_never_comes)
{
	struct hetzner_allowance allowance = {.reserve = 3600};

	hetzner_allowance_told(&allowance, 3600, 0, 4600, 1000, 0);
	EXPECT_INT(hetzner_allowance_wait_ms(&allowance, false, 0), INT64_MAX);
}

TEST(nonsense_is_bounded)
{
	struct hetzner_allowance allowance = {0};

	hetzner_allowance_told(&allowance, 10, 4000000000U, 0, 5000, 0);
	EXPECT_INT(hetzner_allowance_left(&allowance, 0), 10);
	hetzner_allowance_told(&allowance, UINT32_MAX, 0, UINT32_MAX, 0, 0);
	EXPECT_INT(hetzner_allowance_left(&allowance, 0), 0);
	EXPECT_INT(hetzner_allowance_left(&allowance, INT64_MAX), UINT32_MAX);
	/* No bucket takes more than a day to fill. */
	EXPECT_INT(hetzner_allowance_left(&allowance, 43200000), UINT32_MAX / 2);
	EXPECT_INT(hetzner_allowance_left(&allowance, 86400000), UINT32_MAX);
}
