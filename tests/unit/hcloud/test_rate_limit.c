#include "hcloud/rate_limit.h"

#include "tap.h"

#define SECOND 1000000LL

TEST(reset_is_when_the_bucket_is_full)
{
	struct rate_limit bucket;
	int64_t now = 1000 * SECOND;

	rate_limit_init(&bucket, 3600, now);
	for (int i = 0; i < 9; i++)
		EXPECT(rate_limit_take(&bucket, now));
	EXPECT_INT(rate_limit_remaining(&bucket), 3591);
	EXPECT_INT(rate_limit_reset_s(&bucket), 1009);
}

TEST(it_refills_continuously)
{
	struct rate_limit bucket;

	rate_limit_init(&bucket, 3600, 0);
	rate_limit_set(&bucket, 3600, 0, 0);
	EXPECT(!rate_limit_take(&bucket, SECOND / 2));
	EXPECT(rate_limit_take(&bucket, SECOND));
	EXPECT(!rate_limit_take(&bucket, SECOND));
	/* Asking often does not starve it. */
	bool taken = false;
	for (int64_t now = SECOND; now <= 2 * SECOND + 7 && !taken; now += 7)
		taken = rate_limit_take(&bucket, now);
	EXPECT(taken);
}

TEST(it_is_never_more_than_full)
{
	struct rate_limit bucket;

	rate_limit_init(&bucket, 10, 0);
	EXPECT(rate_limit_take(&bucket, 0));
	EXPECT(rate_limit_take(&bucket, 3600 * 24 * SECOND));
	EXPECT_INT(rate_limit_remaining(&bucket), 9);
}
