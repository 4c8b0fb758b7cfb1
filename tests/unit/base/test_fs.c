#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

static void write_file(const char *path, const char *text)
{
	struct error err;

	EXPECT_OK(fs_write_atomic(path, text, strlen(text), 0644, &err), err);
}

static bool exists(const char *path)
{
	struct stat found;

	return lstat(path, &found) == 0;
}

static int count_entries(const char *path)
{
	CLEANUP(cleanup_dir) DIR *dir = opendir(path);
	int count = 0;

	EXPECT(dir != NULL);
	while (readdir(dir) != NULL)
		count++;
	return count - 2; /* "." and ".." */
}

TEST(fs_read_whole)
{
	CLEANUP(cleanup_buf) struct buf out;
	struct error err;

	write_file("a", "hello");
	buf_init(&out, 100);
	buf_append_str(&out, "> ");
	EXPECT_OK(fs_read(AT_FDCWD, "a", &out, &err), err);
	EXPECT_STR(out.data, "> hello");
}

TEST(fs_read_up_to_the_maximum)
{
	CLEANUP(cleanup_buf) struct buf exact;
	CLEANUP(cleanup_buf) struct buf small;
	struct error err;

	write_file("a", "hello");
	buf_init(&exact, 5);
	EXPECT_OK(fs_read(AT_FDCWD, "a", &exact, &err), err);
	EXPECT_STR(exact.data, "hello");
	buf_init(&small, 4);
	EXPECT_ERR(fs_read(AT_FDCWD, "a", &small, &err), err, ERR_TOO_LARGE);
	EXPECT(strstr(err.msg, "a is larger than 4 bytes") != NULL);
}

TEST(fs_read_larger_than_a_chunk)
{
	CLEANUP(cleanup_free) char *data = xcalloc(1, 300001);
	CLEANUP(cleanup_buf) struct buf out;
	struct error err;

	memset(data, 'x', 300000);
	write_file("a", data);
	buf_init(&out, 1 << 20);
	EXPECT_OK(fs_read(AT_FDCWD, "a", &out, &err), err);
	EXPECT_INT(out.bytes, 300000);
	EXPECT_STR(out.data, data);
}

TEST(fs_read_failures_name_the_file)
{
	CLEANUP(cleanup_buf) struct buf out;
	struct error err;

	buf_init(&out, 100);
	EXPECT_ERR(fs_read(AT_FDCWD, "absent", &out, &err), err, ERR_NOT_FOUND);
	EXPECT_STR(err.msg, "cannot read absent: No such file or directory");
	EXPECT_ERR(fs_read(AT_FDCWD, ".", &out, &err), err, ERR_INVALID);
	EXPECT_ERR(fs_read(AT_FDCWD, "absent/below", &out, &err), err, ERR_NOT_FOUND);
}

TEST(fs_read_in_a_directory)
{
	CLEANUP(cleanup_buf) struct buf out;
	struct error err;

	EXPECT_OK(fs_mkdir_all("d", 0755, &err), err);
	write_file("d/a", "in d");
	CLEANUP(cleanup_fd) int dir_fd = open("d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	buf_init(&out, 100);
	EXPECT_OK(fs_read(dir_fd, "a", &out, &err), err);
	EXPECT_STR(out.data, "in d");
}

TEST(fs_write_atomic_replaces)
{
	CLEANUP(cleanup_buf) struct buf out;
	struct stat found;
	struct error err;

	umask(077);
	write_file("a", "old and long");
	EXPECT_OK(fs_write_atomic("a", "new", 3, 0640, &err), err);
	buf_init(&out, 100);
	EXPECT_OK(fs_read(AT_FDCWD, "a", &out, &err), err);
	EXPECT_STR(out.data, "new");
	EXPECT(stat("a", &found) == 0);
	EXPECT_INT(found.st_mode & 07777, 0640);
	EXPECT_INT(count_entries("."), 1);
}

TEST(fs_write_atomic_replaces_a_symlink_not_its_target)
{
	CLEANUP(cleanup_buf) struct buf out;
	struct error err;

	write_file("target", "kept");
	EXPECT(symlink("target", "link") == 0);
	write_file("link", "mine");
	buf_init(&out, 100);
	EXPECT_OK(fs_read(AT_FDCWD, "target", &out, &err), err);
	EXPECT_STR(out.data, "kept");
}

TEST(fs_write_atomic_failure_leaves_the_old)
{
	struct rlimit limit = {.rlim_cur = 10, .rlim_max = 10};
	CLEANUP(cleanup_buf) struct buf out;
	char data[100] = "";
	struct error err;

	write_file("a", "old");
	EXPECT(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	EXPECT(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	EXPECT_ERR(fs_write_atomic("a", data, sizeof(data), 0644, &err), err, ERR_INTERNAL);
	EXPECT_INT(err.errnum, EFBIG);
	buf_init(&out, 100);
	EXPECT_OK(fs_read(AT_FDCWD, "a", &out, &err), err);
	EXPECT_STR(out.data, "old");
	EXPECT_INT(count_entries("."), 1);
	EXPECT_ERR(fs_write_atomic("no/where", "x", 1, 0644, &err), err, ERR_NOT_FOUND);
}

TEST(fs_mkdir_all_makes_parents_once)
{
	struct error err;

	EXPECT_OK(fs_mkdir_all("a/b//c/", 0700, &err), err);
	EXPECT(exists("a/b/c"));
	EXPECT_OK(fs_mkdir_all("a/b/c", 0700, &err), err);
	EXPECT_OK(fs_mkdir_all("/tmp", 0700, &err), err);
	EXPECT_OK(fs_mkdir_all("/", 0700, &err), err);
	EXPECT_ERR(fs_mkdir_all("", 0700, &err), err, ERR_INVALID);
	write_file("file", "");
	EXPECT_ERR(fs_mkdir_all("file", 0700, &err), err, ERR_NOT_FOUND);
	EXPECT_INT(err.errnum, ENOTDIR);
	EXPECT_ERR(fs_mkdir_all("file/below", 0700, &err), err, ERR_NOT_FOUND);
	EXPECT(symlink("a", "link") == 0);
	EXPECT_OK(fs_mkdir_all("link/d", 0700, &err), err);
	EXPECT(exists("a/d"));
}

TEST(fs_remove_all_files_and_trees)
{
	struct error err;

	EXPECT_OK(fs_remove_all(AT_FDCWD, "absent", &err), err);
	EXPECT_OK(fs_remove_all(AT_FDCWD, "absent/below", &err), err);
	write_file("file", "x");
	EXPECT_OK(fs_remove_all(AT_FDCWD, "file", &err), err);
	EXPECT(!exists("file"));
	EXPECT_OK(fs_mkdir_all("t/a/b", 0755, &err), err);
	EXPECT_OK(fs_mkdir_all("t/c", 0755, &err), err);
	write_file("t/a/b/f", "x");
	write_file("t/.hidden", "x");
	EXPECT(mkfifo("t/fifo", 0600) == 0);
	EXPECT_OK(fs_remove_all(AT_FDCWD, "t", &err), err);
	EXPECT(!exists("t"));
}

TEST(fs_remove_all_does_not_follow_symlinks)
{
	struct error err;

	EXPECT_OK(fs_mkdir_all("kept", 0755, &err), err);
	EXPECT_OK(fs_mkdir_all("t", 0755, &err), err);
	write_file("kept/f", "x");
	EXPECT(symlink("../kept", "t/link") == 0);
	EXPECT(symlink("kept", "top") == 0);
	EXPECT_OK(fs_remove_all(AT_FDCWD, "t", &err), err);
	EXPECT_OK(fs_remove_all(AT_FDCWD, "top", &err), err);
	EXPECT(!exists("t"));
	EXPECT(!exists("top"));
	EXPECT(exists("kept/f"));
}

/* Deeper than PATH_MAX and than there are descriptors. */
TEST(fs_remove_all_of_a_very_deep_tree)
{
	struct rlimit limit = {.rlim_cur = 100, .rlim_max = 100};
	CLEANUP(cleanup_fd) int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct error err;

	EXPECT(mkdir("t", 0755) == 0);
	for (int depth = 0; depth < 3000; depth++) {
		const char *name = depth == 0 ? "t" : "down";
		int below = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		EXPECT(below >= 0);
		EXPECT(mkdirat(below, "down", 0755) == 0);
		EXPECT(mkdirat(below, ".removing-0", 0755) == 0);
		close(fd);
		fd = below;
	}
	EXPECT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	EXPECT_OK(fs_remove_all(AT_FDCWD, "t", &err), err);
	EXPECT(!exists("t"));
}

/* As a user whom permissions bind. */
TEST(fs_remove_all_of_what_was_made_unreadable)
{
	struct error err;

	if (geteuid() == 0) {
		EXPECT(chown(".", 65534, 65534) == 0);
		EXPECT(setresuid(65534, 65534, 65534) == 0);
	}
	EXPECT_OK(fs_mkdir_all("t/a/b", 0755, &err), err);
	EXPECT(chmod("t/a", 0) == 0);
	EXPECT_OK(fs_remove_all(AT_FDCWD, "t", &err), err);
	EXPECT(!exists("t"));
}

TEST(fs_remove_all_stops_at_mounts)
{
	struct error err;

	if (unshare(CLONE_NEWNS) != 0)
		tap_skip("cannot make a mount namespace: %s", strerror(errno));
	EXPECT(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	EXPECT_OK(fs_mkdir_all("t/mount", 0755, &err), err);
	EXPECT_OK(fs_mkdir_all("kept", 0755, &err), err);
	write_file("kept/f", "x");
	EXPECT(mount("kept", "t/mount", NULL, MS_BIND, NULL) == 0);
	EXPECT_ERR(fs_remove_all(AT_FDCWD, "t", &err), err, ERR_CONFLICT);
	EXPECT_ERR(fs_remove_all(AT_FDCWD, "t/mount", &err), err, ERR_CONFLICT);
	EXPECT(exists("kept/f"));
	EXPECT(umount("t/mount") == 0);
	EXPECT_OK(fs_remove_all(AT_FDCWD, "t", &err), err);
	EXPECT(exists("kept/f"));
}

TEST(fs_write_all_waits_for_a_full_pipe)
{
	CLEANUP(cleanup_free) char *data = xcalloc(1, 1 << 20);
	struct error err;
	int ends[2];

	EXPECT(pipe(ends) == 0);
	EXPECT_OK(fs_set_nonblocking(ends[1], &err), err);
	pid_t pid = fork();

	if (pid == 0) {
		size_t left = 1 << 20;
		char piece[4096];
		ssize_t got;

		close(ends[1]);
		while ((got = read(ends[0], piece, sizeof(piece))) > 0)
			left -= (size_t)got;
		_exit(left == 0 ? 0 : 1);
	}
	EXPECT_OK(fs_write_all(ends[1], data, 1 << 20, &err), err);
	close(ends[1]);
	int status;

	EXPECT(waitpid(pid, &status, 0) == pid);
	EXPECT_INT(status, 0);
}

TEST(fs_write_all_reports)
{
	struct error err;

	EXPECT_ERR(fs_write_all(-1, "x", 1, &err), err, ERR_INTERNAL);
	EXPECT_INT(err.errnum, EBADF);
	EXPECT_OK(fs_write_all(-1, "", 0, &err), err);
	EXPECT_ERR(fs_set_nonblocking(-1, &err), err, ERR_INTERNAL);
	CLEANUP(cleanup_fd) int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	EXPECT_ERR(fs_write_all(full, "x", 1, &err), err, ERR_NO_SPACE);
}

TEST(fs_path_accepts)
{
	static const char *const good[] = {"a",	  "a/b.c", ".a",  "..a",
					   "a..", "...",   "a b", "\xc3\xa4"};
	char whole[FS_PATH_BYTES_MAX + 1];
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		EXPECT_OK(fs_path_check_relative(good[i], &err), err);
	for (size_t i = 0; i < sizeof(whole) - 1; i++)
		whole[i] = i % 256 == 255 ? '/' : 'a';
	whole[sizeof(whole) - 2] = 'a';
	whole[sizeof(whole) - 1] = '\0';
	whole[FS_PATH_BYTES_MAX - 2] = '/';
	EXPECT_OK(fs_path_check_relative(whole, &err), err);
}

TEST(fs_path_refuses)
{
	static const char *const bad[] = {
		"",	 "/",	   "/a",   "a/",   "a//b",  ".",       "..",   "a/..",	     "../a",
		"a/./b", "a/../b", "a\nb", "a\tb", "a\x7f", "a\x1b[m", "\xff", "a/\xc0\xaf",
	};
	char component[FS_NAME_BYTES_MAX + 2];
	char whole[FS_PATH_BYTES_MAX + 2];
	struct error err;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_ERR(fs_path_check_relative(bad[i], &err), err, ERR_INVALID);
	memset(component, 'a', sizeof(component));
	component[sizeof(component) - 1] = '\0';
	EXPECT_ERR(fs_path_check_relative(component, &err), err, ERR_INVALID);
	EXPECT(strstr(err.msg, "longer than 255 bytes") != NULL);
	for (size_t i = 0; i < sizeof(whole) - 1; i++)
		whole[i] = i % 2 == 0 ? 'a' : '/';
	whole[sizeof(whole) - 1] = '\0';
	EXPECT_ERR(fs_path_check_relative(whole, &err), err, ERR_INVALID);
	EXPECT(strstr(err.msg, "longer than 1024 bytes") != NULL);
}

TEST(fs_basename_of_paths)
{
	EXPECT_STR(fs_basename("a/b/c.py"), "c.py");
	EXPECT_STR(fs_basename("c.py"), "c.py");
	EXPECT_STR(fs_basename("a/"), "");
	EXPECT_STR(fs_basename(""), "");
}
