#include "cli/safe_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tap.h"

static void write_file(int root_fd, const char *path, const char *text, bool executable)
{
	CLEANUP(cleanup_safe_file) struct safe_file file = SAFE_FILE_EMPTY;
	struct error err;

	EXPECT_OK(safe_file_open(root_fd, path, executable, &file, &err), err);
	EXPECT_OK(fs_write_all(file.fd, text, strlen(text), &err), err);
	EXPECT_OK(safe_file_commit(&file, &err), err);
}

static void expect_text(const char *path, const char *text)
{
	CLEANUP(cleanup_buf) struct buf got = {0};
	struct error err;

	buf_init(&got, 4096);
	EXPECT_OK(fs_read(AT_FDCWD, path, &got, &err), err);
	EXPECT_STR(got.data, text);
}

static int open_root(void)
{
	int fd;

	EXPECT_INT(mkdir("root", 0755), 0);
	fd = open("root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	EXPECT(fd >= 0);
	return fd;
}

TEST(directories_are_made_and_files_replaced)
{
	CLEANUP(cleanup_fd) int root_fd = open_root();
	struct stat status;

	(void)umask(022);
	write_file(root_fd, "a/b/c.txt", "one", false);
	write_file(root_fd, "a/b/c.txt", "two", true);
	expect_text("root/a/b/c.txt", "two");
	EXPECT_INT(stat("root/a/b/c.txt", &status), 0);
	EXPECT_INT(status.st_mode & 0777, 0755);
}

TEST(symbolic_links_are_not_followed)
{
	CLEANUP(cleanup_fd) int root_fd = open_root();
	CLEANUP(cleanup_safe_file) struct safe_file file = SAFE_FILE_EMPTY;
	struct error err;

	EXPECT_INT(mkdir("outside", 0755), 0);
	EXPECT_INT(symlink("../outside", "root/link"), 0);
	EXPECT_ERR(safe_file_open(root_fd, "link/x", false, &file, &err), err, ERR_CONFLICT);
	EXPECT(access("outside/x", F_OK) != 0);
	/* A link in the place of the file itself is replaced, not written through. */
	EXPECT_INT(symlink("../outside/y", "root/y"), 0);
	write_file(root_fd, "y", "mine", false);
	EXPECT(access("outside/y", F_OK) != 0);
	expect_text("root/y", "mine");
}

TEST(a_file_in_the_way_of_a_directory_is_an_error)
{
	CLEANUP(cleanup_fd) int root_fd = open_root();
	CLEANUP(cleanup_safe_file) struct safe_file file = SAFE_FILE_EMPTY;
	CLEANUP(cleanup_safe_file) struct safe_file over = SAFE_FILE_EMPTY;
	struct error err;

	write_file(root_fd, "x", "1", false);
	EXPECT_ERR(safe_file_open(root_fd, "x/y", false, &file, &err), err, ERR_CONFLICT);
	EXPECT_INT(mkdir("root/d", 0755), 0);
	EXPECT_OK(safe_file_open(root_fd, "d", false, &over, &err), err);
	EXPECT_ERR(safe_file_commit(&over, &err), err, ERR_CONFLICT);
}

TEST(what_is_not_committed_leaves_nothing)
{
	CLEANUP(cleanup_fd) int root_fd = open_root();
	struct safe_file file = SAFE_FILE_EMPTY;
	struct error err;

	EXPECT_OK(safe_file_open(root_fd, "x", false, &file, &err), err);
	EXPECT_OK(fs_write_all(file.fd, "half", 4, &err), err);
	safe_file_release(&file);
	EXPECT_INT(rmdir("root"), 0);
}
