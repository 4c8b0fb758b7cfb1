#include "cli/inputs.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"
#include "core/limits.h"
#include "tap.h"

/* A work directory "work" beside a file "out.csv"; the cwd afterwards. */
static char *prepare(void)
{
	struct error err;

	EXPECT_OK(fs_mkdir_all("work/a", 0755, &err), err);
	EXPECT_OK(fs_mkdir_all("work/b", 0755, &err), err);
	EXPECT_OK(fs_mkdir_all("work/results", 0755, &err), err);
	EXPECT_OK(fs_write_atomic("out.csv", "o", 1, 0644, &err), err);
	EXPECT_OK(fs_write_atomic("work/a/x.csv", "a", 1, 0644, &err), err);
	EXPECT_OK(fs_write_atomic("work/b/x.csv", "b", 1, 0644, &err), err);
	EXPECT_OK(fs_write_atomic("work/run.py", "print()", 7, 0755, &err), err);
	EXPECT_INT(chdir("work"), 0);
	return realpath(".", NULL);
}

static void expect_argument(struct inputs *inputs, const char *argument, const char *text)
{
	CLEANUP(cleanup_free) char *got = NULL;
	struct error err;

	EXPECT_OK(inputs_add_argument(inputs, argument, &got, &err), err);
	EXPECT_STR(got, text);
}

static bool has_directory(const struct inputs *inputs, const char *path)
{
	for (size_t i = 0; i < inputs->directory_count; i++) {
		if (str_eq(inputs->directories[i], path))
			return true;
	}
	return false;
}

TEST(files_keep_their_relative_names)
{
	CLEANUP(cleanup_free) char *here = prepare();
	CLEANUP(cleanup_inputs) struct inputs inputs;
	struct error err;

	inputs_init(&inputs, here);
	EXPECT_OK(inputs_set_script(&inputs, "./run.py", &err), err);
	EXPECT_STR(inputs.script.path, "run.py");
	expect_argument(&inputs, "a/x.csv", "a/x.csv");
	expect_argument(&inputs, "b/x.csv", "b/x.csv");
	expect_argument(&inputs, "--in=./a//x.csv", "--in=./a//x.csv");
	expect_argument(&inputs, "a/../b/x.csv", "a/../b/x.csv");
	EXPECT_INT(inputs.file_count, 2);
	EXPECT_STR(inputs.files[0].path, "a/x.csv");
	EXPECT_STR(inputs.files[1].path, "b/x.csv");
	EXPECT(has_directory(&inputs, "a")); /* a/../b needs it */
	EXPECT_STR(inputs.notes.data, "");
	EXPECT_OK(inputs_hash(&inputs, &err), err);
	EXPECT_INT(inputs.files[1].size_bytes, 1);
}

TEST(what_is_no_file_stays_as_it_is)
{
	CLEANUP(cleanup_free) char *here = prepare();
	CLEANUP(cleanup_inputs) struct inputs inputs;

	inputs_init(&inputs, here);
	expect_argument(&inputs, "--epochs", "--epochs");
	expect_argument(&inputs, "", "");
	expect_argument(&inputs, "http://e/x.csv", "http://e/x.csv");
	expect_argument(&inputs, "new.json", "new.json");
	expect_argument(&inputs, "=", "=");
	expect_argument(&inputs, "/dev/null", "/dev/null");
	EXPECT_INT(inputs.file_count, 0);
	EXPECT_INT(inputs.directory_count, 0);
}

TEST(directories_are_made_where_a_script_may_write)
{
	CLEANUP(cleanup_free) char *here = prepare();
	CLEANUP(cleanup_inputs) struct inputs inputs;

	inputs_init(&inputs, here);
	expect_argument(&inputs, "results/new.json", "results/new.json");
	EXPECT(has_directory(&inputs, "results"));
	expect_argument(&inputs, "results/", "results/");
	EXPECT_INT(inputs.directory_count, 1);
	EXPECT_STR(inputs.notes.data, "");
	expect_argument(&inputs, "a", "a");
	EXPECT(strstr(inputs.notes.data, "--file a") != NULL);
}

TEST(files_of_the_outside_move_and_the_argument_follows)
{
	CLEANUP(cleanup_free) char *here = prepare();
	CLEANUP(cleanup_free) char *inside = xasprintf("%s/a/x.csv", here);
	CLEANUP(cleanup_inputs) struct inputs inputs;
	struct error err;

	inputs_init(&inputs, here);
	expect_argument(&inputs, "../out.csv", "_inputs/out.csv");
	expect_argument(&inputs, "--in=../out.csv", "--in=_inputs/out.csv");
	EXPECT_INT(inputs.file_count, 1);
	EXPECT(strstr(inputs.notes.data, "_inputs/out.csv") != NULL);
	expect_argument(&inputs, inside, "a/x.csv");
	EXPECT_OK(fs_mkdir_all("../other", 0755, &err), err);
	EXPECT_OK(fs_write_atomic("../other/out.csv", "p", 1, 0644, &err), err);
	expect_argument(&inputs, "../other/out.csv", "_inputs/2/out.csv");
	EXPECT_INT(inputs.file_count, 3);
}

TEST(a_directory_travels_without_version_control_and_loops)
{
	CLEANUP(cleanup_free) char *here = prepare();
	CLEANUP(cleanup_inputs) struct inputs inputs;
	struct error err;

	EXPECT_OK(fs_mkdir_all("lib/.git", 0755, &err), err);
	EXPECT_OK(fs_mkdir_all("lib/empty", 0755, &err), err);
	EXPECT_OK(fs_write_atomic("lib/.git/config", "x", 1, 0644, &err), err);
	EXPECT_OK(fs_write_atomic("lib/m.py", "x", 1, 0644, &err), err);
	EXPECT_INT(symlink("..", "lib/loop"), 0);
	EXPECT_INT(symlink("m.py", "lib/link.py"), 0);
	EXPECT_INT(mkfifo("lib/pipe", 0600), 0);
	inputs_init(&inputs, here);
	EXPECT_OK(inputs_add_path(&inputs, "lib", &err), err);
	EXPECT_INT(inputs.file_count, 2);
	EXPECT_STR(inputs.files[0].path, "lib/link.py");
	EXPECT_STR(inputs.files[1].path, "lib/m.py");
	EXPECT(has_directory(&inputs, "lib/empty"));
	EXPECT(!has_directory(&inputs, "lib/.git"));
	/* An argument that names it needs no note: its files are there. */
	expect_argument(&inputs, "lib", "lib");
	EXPECT_STR(inputs.notes.data, "");
}

TEST(too_many_files_are_refused)
{
	CLEANUP(cleanup_free) char *here = prepare();
	CLEANUP(cleanup_inputs) struct inputs inputs;
	struct error err;

	EXPECT_OK(fs_mkdir_all("many", 0755, &err), err);
	for (int i = 0; i <= LIMIT_FILES_COUNT; i++) {
		CLEANUP(cleanup_free) char *path = xasprintf("many/%d", i);
		CLEANUP(cleanup_file) FILE *file = fopen(path, "we");

		EXPECT(file != NULL);
	}
	inputs_init(&inputs, here);
	EXPECT_ERR(inputs_add_path(&inputs, "many", &err), err, ERR_TOO_LARGE);
}

TEST(a_script_from_elsewhere_goes_by_its_last_name)
{
	CLEANUP(cleanup_free) char *here = prepare();
	CLEANUP(cleanup_inputs) struct inputs inputs;
	struct error err;

	inputs_init(&inputs, here);
	EXPECT_INT(chdir("a"), 0);
	EXPECT_OK(inputs_set_script(&inputs, "../run.py", &err), err);
	EXPECT_STR(inputs.script.path, "run.py");
}

TEST(a_script_must_be_a_file)
{
	CLEANUP(cleanup_free) char *here = prepare();
	CLEANUP(cleanup_inputs) struct inputs inputs;
	struct error err;

	inputs_init(&inputs, here);
	EXPECT_ERR(inputs_set_script(&inputs, "absent.py", &err), err, ERR_INVALID);
	EXPECT_ERR(inputs_set_script(&inputs, "a", &err), err, ERR_INVALID);
}
