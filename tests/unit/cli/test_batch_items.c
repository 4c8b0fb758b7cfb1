#include "cli/batch_items.h"

#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"
#include "tap.h"

static void make(const char *path, const char *text)
{
	struct error err;

	EXPECT_OK(fs_write_atomic(path, text, strlen(text), 0644, &err), err);
}

TEST(files_are_named_by_their_paths)
{
	CLEANUP(cleanup_batch_items) struct batch_items items = {0};
	struct error err;

	EXPECT_OK(fs_mkdir_all("data/b", 0755, &err), err);
	make("data/x.csv", "");
	make("data/b/x.csv", "");
	EXPECT_OK(batch_items_from_glob("./data/**/x.csv", &items, &err), err);
	EXPECT_INT(items.texts.count, 2);
	EXPECT_STR(items.texts.items[0], "./data/b/x.csv");
	EXPECT_STR(items.names.items[0], "data/b/x.csv");
	EXPECT_STR(items.names.items[1], "data/x.csv");
}

TEST(files_from_outside_are_named_by_what_the_pattern_left_open)
{
	CLEANUP(cleanup_batch_items) struct batch_items items = {0};
	struct error err;

	EXPECT_OK(fs_mkdir_all("in/a", 0755, &err), err);
	EXPECT_OK(fs_mkdir_all("work", 0755, &err), err);
	make("in/a/x.csv", "");
	EXPECT_INT(chdir("work"), 0);
	EXPECT_OK(batch_items_from_glob("../in/*/x.csv", &items, &err), err);
	EXPECT_STR(items.names.items[0], "a/x.csv");
}

TEST(nothing_found_is_a_usage_error)
{
	CLEANUP(cleanup_batch_items) struct batch_items items = {0};
	struct error err;

	EXPECT_ERR(batch_items_from_glob("*.none", &items, &err), err, ERR_INVALID);
	make("empty", "\n\r\n");
	EXPECT_ERR(batch_items_from_lines("empty", &items, &err), err, ERR_INVALID);
	EXPECT_ERR(batch_items_from_lines("absent", &items, &err), err, ERR_INVALID);
}

TEST(lines_get_clean_unique_names)
{
	CLEANUP(cleanup_batch_items) struct batch_items items = {0};
	struct error err, ignored;

	make("lines", "alpha\nhttp://e/x\n..\nalpha\r\n\nalpha.stdout\n\x01\n");
	EXPECT_OK(batch_items_from_lines("lines", &items, &err), err);
	EXPECT_INT(items.texts.count, 6);
	EXPECT_STR(items.texts.items[1], "http://e/x");
	EXPECT_STR(items.names.items[0], "alpha");
	EXPECT_STR(items.names.items[1], "http___e_x");
	EXPECT_STR(items.names.items[2], "000003");
	EXPECT_STR(items.names.items[3], "000004-alpha");
	/* "alpha" writes a log of that name. */
	EXPECT_STR(items.names.items[4], "000005-alpha.stdout");
	EXPECT_STR(items.names.items[5], "_");
	for (size_t i = 0; i < items.names.count; i++)
		EXPECT_OK(fs_path_check_relative(items.names.items[i], &ignored), ignored);
}

TEST(a_long_line_keeps_its_end_within_a_jobs_name)
{
	CLEANUP(cleanup_batch_items) struct batch_items items = {0};
	char line[1024];
	struct error err;

	memset(line, 'a', sizeof(line));
	memcpy(line + sizeof(line) - 12, "the-end.csv", 12);
	make("lines", line);
	EXPECT_OK(batch_items_from_lines("lines", &items, &err), err);
	EXPECT(strlen(items.names.items[0]) <= 128);
	EXPECT(str_has_prefix(items.names.items[0], "000001-"));
	EXPECT(str_has_suffix(items.names.items[0], "the-end.csv"));
}

TEST(the_item_replaces_braces_or_is_appended)
{
	static const char *const with[] = {"--in={}", "x", "{}.out"};
	static const char *const without[] = {"-v"};
	size_t count;
	char **arguments = batch_item_arguments(with, 3, "a b", &count);

	EXPECT_INT(count, 3);
	EXPECT_STR(arguments[0], "--in=a b");
	EXPECT_STR(arguments[1], "x");
	EXPECT_STR(arguments[2], "a b.out");
	batch_item_arguments_free(arguments);
	arguments = batch_item_arguments(without, 1, "a", &count);
	EXPECT_INT(count, 2);
	EXPECT_STR(arguments[1], "a");
	batch_item_arguments_free(arguments);
}
