/* How long deletions take, by what is seen of them. */
#include "orchestrator/fleet_sight.h"

#include "tap.h"

#define SECOND_US INT64_C(1000000)

static int list_nothing(void *context, struct fleet_world *ret, struct error *err)
{
	(void)context, (void)ret, (void)err;
	return 0;
}

static int list_fails(void *context, struct fleet_world *ret, struct error *err)
{
	(void)context, (void)ret;
	return error_set(err, ERR_UNAVAILABLE, "no connection");
}

static int list_one(void *context, struct fleet_world *ret, struct error *err)
{
	(void)context, (void)err;
	*fleet_world_add_server(ret) = (struct fleet_server){.id = 1001, .worker_id = 1};
	return 0;
}

static struct fleet_sight sight;
static struct fleet_worker seen; /* the worker, as it was after the last look */

/* Looks at the only worker there is, whose server's deletion was ordered at 10 s. */
static void look(int64_t at_us, int (*list)(void *, struct fleet_world *, struct error *))
{
	struct fleet_cloud cloud = {.list = list};
	struct fleet_world world;
	struct error err = {0};
	int64_t delete_us = 10 * SECOND_US;

	fleet_world_init(&world);
	world.now_us = at_us;
	*fleet_world_add_worker(&world) =
		(struct fleet_worker){.id = 1,
				      .server_id = 1001,
				      .created_us = SECOND_US,
				      .delete_us = at_us > delete_us ? delete_us : 0};
	int listed = list != NULL ? fleet_sight_list(&sight, &cloud, at_us, &err) : 0;
	EXPECT_INT(listed, list == list_fails ? -1 : 0);
	fleet_sight_complete(&sight, &world);
	fleet_sight_used(&sight);
	seen = world.workers[0];
	fleet_world_release(&world);
}

TEST(a_deletion_lasts_until_the_first_listing_without_the_server)
{
	uint64_t took_ms = 0;

	look(8 * SECOND_US, list_one);
	look(11 * SECOND_US, list_one);
	EXPECT(!fleet_sight_measure_deletion(&sight, &seen, &took_ms));
	look(13 * SECOND_US, NULL);
	EXPECT(!fleet_sight_measure_deletion(&sight, &seen, &took_ms));
	look(15 * SECOND_US, list_nothing);
	EXPECT(fleet_sight_measure_deletion(&sight, &seen, &took_ms));
	EXPECT_INT(took_ms, 5000);
	look(19 * SECOND_US, list_nothing);
	look(23 * SECOND_US, list_nothing);
	EXPECT(fleet_sight_measure_deletion(&sight, &seen, &took_ms));
	EXPECT_INT(took_ms, 5000);
	fleet_sight_release(&sight);
}

TEST(one_that_came_back_into_the_listings_lasts_longer)
{
	uint64_t took_ms = 0;

	look(8 * SECOND_US, list_one);
	look(12 * SECOND_US, list_nothing);
	look(16 * SECOND_US, list_one);
	EXPECT(!fleet_sight_measure_deletion(&sight, &seen, &took_ms));
	look(20 * SECOND_US, list_nothing);
	EXPECT(fleet_sight_measure_deletion(&sight, &seen, &took_ms));
	EXPECT_INT(took_ms, 10000);
	fleet_sight_release(&sight);
}

TEST(what_nobody_watched_is_not_measured)
{
	uint64_t took_ms = 0;

	look(8 * SECOND_US, list_one);
	look(600 * SECOND_US, list_nothing); /* the database was away */
	EXPECT_INT(seen.absent_looks, 1);
	EXPECT(!fleet_sight_measure_deletion(&sight, &seen, &took_ms));
	fleet_sight_release(&sight);
}

TEST(nor_what_the_provider_did_not_tell)
{
	uint64_t took_ms = 0;

	look(8 * SECOND_US, list_one);
	look(11 * SECOND_US, list_fails);
	look(15 * SECOND_US, list_nothing);
	EXPECT_INT(seen.absent_looks, 1);
	EXPECT(!fleet_sight_measure_deletion(&sight, &seen, &took_ms));
	fleet_sight_release(&sight);
}

/* A successor that finds the server gone knows not since when. */
TEST(nor_what_began_before_the_first_look)
{
	uint64_t took_ms = 0;

	look(15 * SECOND_US, list_nothing);
	EXPECT_INT(seen.absent_looks, 1);
	EXPECT(!fleet_sight_measure_deletion(&sight, &seen, &took_ms));
	fleet_sight_release(&sight);
}
