#include "setup/log_file.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tap.h"

static long long size_of(const char *path)
{
	struct stat status;
	return stat(path, &status) == 0 ? (long long)status.st_size : -1;
}

TEST(a_log_grows_across_openings)
{
	struct log_file log;
	struct error err = {0};
	for (int i = 0; i < 2; i++) {
		EXPECT_OK(log_file_open("log", 1000, &log, &err), err);
		log_file_write(&log, "12345\n", 6);
		log_file_release(&log);
	}
	EXPECT_INT(size_of("log"), 12);
	EXPECT_INT(size_of("log.1"), -1);
}

TEST(a_full_log_is_set_aside_and_one_old_one_kept)
{
	CLEANUP(cleanup_log_file) struct log_file log;
	struct error err = {0};
	char block[400] = {0};
	EXPECT_OK(log_file_open("log", 1000, &log, &err), err);
	for (int i = 0; i < 7; i++)
		log_file_write(&log, block, sizeof(block));
	EXPECT_INT(size_of("log"), 400);
	EXPECT_INT(size_of("log.1"), 800);
	EXPECT_INT(size_of("log.1.1"), -1);
}

TEST(a_log_is_its_owners_alone)
{
	CLEANUP(cleanup_log_file) struct log_file log;
	struct error err = {0};
	struct stat status;
	EXPECT_OK(log_file_open("log", 1000, &log, &err), err);
	EXPECT(stat("log", &status) == 0);
	EXPECT_INT(status.st_mode & 0777, 0600);
}

TEST(a_link_in_its_place_is_not_followed)
{
	struct log_file log;
	struct error err = {0};
	EXPECT(symlink("target", "log") == 0);
	EXPECT_ERR(log_file_open("log", 1000, &log, &err), err, ERR_INVALID);
	EXPECT_INT(size_of("target"), -1);
}
