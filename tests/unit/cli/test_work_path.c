#include "cli/work_path.h"

#include "tap.h"

static void expect_path(const char *path, bool inside, const char *relative, bool respelled)
{
	struct work_path place;

	work_path_resolve("/home/u/p", path, &place);
	EXPECT_INT(place.inside, inside);
	EXPECT_STR(place.relative, relative);
	EXPECT_INT(place.respelled, respelled);
	work_path_release(&place);
}

TEST(paths_inside)
{
	expect_path("x", true, "x", false);
	expect_path("./a//b/./c/", true, "a/b/c", false);
	expect_path("a/b/../../c", true, "c", false);
	expect_path(".", true, "", false);
	expect_path("...", true, "...", false);
	expect_path("/home/u/p/a/x", true, "a/x", true);
	expect_path("/home/u/p", true, "", true);
}

TEST(paths_outside_go_by_their_last_name)
{
	expect_path("../x", false, "x", true);
	expect_path("a/../../x", false, "x", true);
	expect_path("/home/u/pq", false, "pq", true);
	expect_path("/home/u/p/../x", false, "x", true);
	expect_path("../..", false, "root", true);
	expect_path("/", false, "root", true);
	expect_path("../lib/", false, "lib", true);
}

TEST(the_directory_that_a_spelling_passes_through)
{
	struct work_path place;

	work_path_resolve("/w", "a/b/../../c", &place);
	EXPECT_STR(place.traversed, "a/b");
	work_path_release(&place);
}
