#include "setup/data_dir.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tap.h"

static void touch(const char *path)
{
	FILE *file = fopen(path, "w");
	EXPECT(file != NULL);
	EXPECT(fclose(file) == 0);
}

TEST(a_new_one_is_made_with_all_above_it)
{
	CLEANUP(cleanup_data_dir) struct data_dir dir = {.lock_fd = -1};
	struct error err = {0};
	struct stat status;
	EXPECT_OK(data_dir_open("a b/c", &dir, &err), err);
	EXPECT(!dir.was_left_dirty);
	EXPECT(dir.path[0] == '/');
	EXPECT(stat("a b/c/secrets", &status) == 0);
	EXPECT_INT(status.st_mode & 0777, 0700);
	EXPECT(stat("a b/c/blobs", &status) == 0 && stat("a b/c/log", &status) == 0);
}

TEST(an_empty_directory_is_taken)
{
	CLEANUP(cleanup_data_dir) struct data_dir dir = {.lock_fd = -1};
	struct error err = {0};
	EXPECT(mkdir("empty", 0755) == 0 && mkdir("empty/lost+found", 0700) == 0);
	EXPECT_OK(data_dir_open("empty", &dir, &err), err);
}

TEST(a_directory_with_other_things_is_refused_and_left_alone)
{
	struct data_dir dir = {.lock_fd = -1};
	struct error err = {0};
	EXPECT(mkdir("theirs", 0755) == 0);
	touch("theirs/precious");
	EXPECT_ERR(data_dir_open("theirs", &dir, &err), err, ERR_CONFLICT);
	EXPECT(strstr(err.hint, "--data-dir") != NULL);
	EXPECT(access("theirs/rgrid-data", F_OK) < 0 && access("theirs/lock", F_OK) < 0);
}

TEST(another_layout_is_refused)
{
	struct data_dir dir = {.lock_fd = -1};
	struct error err = {0};
	EXPECT(mkdir("newer", 0755) == 0);
	FILE *file = fopen("newer/rgrid-data", "w");
	EXPECT(file != NULL && fputs("2\n", file) >= 0 && fclose(file) == 0);
	EXPECT_ERR(data_dir_open("newer", &dir, &err), err, ERR_CONFLICT);
}

TEST(two_at_once_are_refused)
{
	CLEANUP(cleanup_data_dir) struct data_dir first = {.lock_fd = -1};
	struct data_dir second = {.lock_fd = -1};
	struct error err = {0};
	char holder[32];
	EXPECT_OK(data_dir_open("grid", &first, &err), err);
	EXPECT_ERR(data_dir_open("grid", &second, &err), err, ERR_CONFLICT);
	(void)snprintf(holder, sizeof(holder), "process %d", getpid());
	EXPECT(strstr(err.msg, holder) != NULL);
}

TEST(an_orderly_stop_is_told_from_a_death)
{
	struct data_dir dir = {.lock_fd = -1};
	struct error err = {0};
	EXPECT_OK(data_dir_open("grid", &dir, &err), err);
	data_dir_close(&dir);
	EXPECT_OK(data_dir_open("grid", &dir, &err), err);
	EXPECT(!dir.was_left_dirty);
	cleanup_data_dir(&dir);
	EXPECT_OK(data_dir_open("grid", &dir, &err), err);
	EXPECT(dir.was_left_dirty);
	data_dir_close(&dir);
}
