#include "core/fleet_deletions.h"

#include "tap.h"

TEST(the_longest_counts)
{
	struct fleet_deletions deletions = {0};

	EXPECT_INT(fleet_deletions_longest_ms(&deletions), 0);
	fleet_deletions_add(&deletions, 3000);
	fleet_deletions_add(&deletions, 9000);
	fleet_deletions_add(&deletions, 0);
	EXPECT_INT(fleet_deletions_longest_ms(&deletions), 9000);
}

TEST(the_oldest_is_forgotten_first)
{
	struct fleet_deletions deletions = {0};

	fleet_deletions_add(&deletions, 9000);
	fleet_deletions_add(&deletions, UINT64_MAX);
	for (int i = 0; i < FLEET_DELETIONS_MAX - 2; i++)
		fleet_deletions_add(&deletions, 1000);
	EXPECT(fleet_deletions_longest_ms(&deletions) == UINT64_MAX);
	fleet_deletions_add(&deletions, 1000); /* instead of 9000 */
	EXPECT(fleet_deletions_longest_ms(&deletions) == UINT64_MAX);
	fleet_deletions_add(&deletions, 2000);
	EXPECT_INT(fleet_deletions_longest_ms(&deletions), 2000);
}
