#include "base/rand.h"

#include <string.h>

#include "tap.h"

TEST(rand_bytes_fills_all_of_it)
{
	static uint8_t data[100000];
	unsigned counts[256] = {0};

	rand_bytes(data, sizeof(data));
	for (size_t i = 0; i < sizeof(data); i++)
		counts[data[i]]++;
	/* 390 on average, standard deviation 20. */
	for (size_t i = 0; i < 256; i++)
		EXPECT(counts[i] > 250 && counts[i] < 550);
	rand_bytes(data, 0);
}

TEST(rand_u64_differs)
{
	EXPECT(rand_u64() != rand_u64());
}

TEST(rand_below_stays_below_and_reaches_all)
{
	unsigned counts[7] = {0};

	for (int i = 0; i < 7000; i++) {
		uint64_t value = rand_below(7);

		EXPECT(value < 7);
		counts[value]++;
	}
	for (size_t i = 0; i < 7; i++)
		EXPECT(counts[i] > 700 && counts[i] < 1300);
	EXPECT_INT(rand_below(1), 0);
}

/* With this bound, plain remainders would fall into the lower third twice as often. */
TEST(rand_below_is_not_biased_by_large_bounds)
{
	uint64_t bound = UINT64_MAX / 4 * 3;
	unsigned low = 0;

	for (int i = 0; i < 6000; i++)
		low += rand_below(bound) < bound / 3;
	EXPECT(low > 1700 && low < 2300);
	(void)rand_below(UINT64_MAX);
}
