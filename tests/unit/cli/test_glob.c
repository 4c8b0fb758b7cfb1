#include "cli/glob.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "tap.h"

static void make(const char *path)
{
	struct error err;

	EXPECT_OK(fs_write_atomic(path, "x", 1, 0644, &err), err);
}

static void make_tree(void)
{
	struct error err;

	EXPECT_OK(fs_mkdir_all("data/deep/er", 0755, &err), err);
	EXPECT_OK(fs_mkdir_all("data/dir.csv", 0755, &err), err);
	EXPECT_OK(fs_mkdir_all(".git", 0755, &err), err);
	make("b.csv");
	make("a.csv");
	make(".hidden.csv");
	make(".git/x.csv");
	make("data/1.csv");
	make("data/2.txt");
	make("data/deep/3.csv");
	make("data/deep/er/4.csv");
	EXPECT_INT(symlink("../data", "data/deep/loop"), 0);
	EXPECT_INT(symlink("1.csv", "data/link.csv"), 0);
}

static void expect_matches(const char *pattern, const char *expected)
{
	CLEANUP(cleanup_path_list) struct path_list list = {0};
	char joined[512] = "";
	struct error err;

	EXPECT_OK(glob_files(pattern, &list, &err), err);
	for (size_t i = 0; i < list.count; i++) {
		size_t used = strlen(joined);

		(void)snprintf(joined + used, sizeof(joined) - used, "%s ", list.items[i]);
	}
	EXPECT_STR(joined, expected);
}

TEST(wildcards_within_a_name)
{
	make_tree();
	expect_matches("*.csv", "a.csv b.csv ");
	expect_matches("?.csv", "a.csv b.csv ");
	expect_matches("[b-z].csv", "b.csv ");
	expect_matches(".*.csv", ".hidden.csv ");
	expect_matches("*.none", "");
	expect_matches("a.csv", "a.csv ");
	expect_matches("nowhere/*.csv", "");
}

TEST(directories_are_no_match_and_links_to_files_are)
{
	make_tree();
	expect_matches("data/*.csv", "data/1.csv data/link.csv ");
	expect_matches("*", "a.csv b.csv ");
	expect_matches("*/1.csv", "data/1.csv ");
	expect_matches("./data/2.*", "./data/2.txt ");
}

TEST(two_stars_reach_into_any_depth)
{
	make_tree();
	expect_matches("**/*.csv", "a.csv b.csv data/1.csv data/deep/3.csv data/deep/er/4.csv "
				   "data/link.csv ");
	expect_matches("data/**/4.csv", "data/deep/er/4.csv ");
	expect_matches("data/deep/**", "data/deep/3.csv data/deep/er/4.csv ");
	expect_matches("**/**/4.csv", "data/deep/er/4.csv ");
}

TEST(an_absolute_pattern)
{
	char here[512];
	char pattern[600], expected[600];

	make_tree();
	EXPECT(getcwd(here, sizeof(here)) != NULL);
	(void)snprintf(pattern, sizeof(pattern), "%s/a.*", here);
	(void)snprintf(expected, sizeof(expected), "%s/a.csv ", here);
	expect_matches(pattern, expected);
}

TEST(the_fixed_part)
{
	EXPECT_INT(glob_fixed_bytes("data/*.csv"), 5);
	EXPECT_INT(glob_fixed_bytes("data/x*/y"), 5);
	EXPECT_INT(glob_fixed_bytes("*.csv"), 0);
	EXPECT_INT(glob_fixed_bytes("a/b.csv"), 2);
	EXPECT_INT(glob_fixed_bytes("/tmp/**/x"), 5);
}
