#include "base/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "tap.h"

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static int open_null(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	EXPECT(fd >= 0);
	return fd;
}

TEST(cleanup_closes_at_the_end_of_the_scope)
{
	int copy;

	{
		CLEANUP(cleanup_fd) int fd = open_null();

		copy = fd;
		EXPECT(is_open(copy));
	}
	EXPECT(!is_open(copy));
}

TEST(cleanup_accepts_the_empty_values)
{
	CLEANUP(cleanup_fd) int fd = -1;
	CLEANUP(cleanup_file) FILE *file = NULL;
	CLEANUP(cleanup_dir) DIR *dir = NULL;
	CLEANUP(cleanup_free) char *text = NULL;

	EXPECT(fd < 0 && file == NULL && dir == NULL && text == NULL);
}

TEST(cleanup_keeps_errno)
{
	errno = ENOENT;
	{
		/* Closing it fails with EBADF. */
		CLEANUP(cleanup_fd) int fd = 9999;
		CLEANUP(cleanup_file) FILE *file = fopen("/dev/null", "re");
		CLEANUP(cleanup_dir) DIR *dir = opendir("/");

		EXPECT(fd > 0 && file != NULL && dir != NULL);
		errno = ENOENT;
	}
	EXPECT_INT(errno, ENOENT);
}

TEST(cleanup_take_hands_over)
{
	char *text = xstrdup("text");
	int fd = open_null();
	CLEANUP(cleanup_free) char *taken = TAKE_PTR(text);
	CLEANUP(cleanup_fd) int taken_fd = TAKE_FD(fd);

	EXPECT(text == NULL);
	EXPECT_INT(fd, -1);
	EXPECT_STR(taken, "text");
	EXPECT(is_open(taken_fd));
}

TEST(cleanup_allocators)
{
	CLEANUP(cleanup_free) int *numbers = xcalloc(3, sizeof(*numbers));
	CLEANUP(cleanup_free) char *nothing = xcalloc(0, 0);
	CLEANUP(cleanup_free) char *cut = xstrndup("abcdef", 3);
	CLEANUP(cleanup_free) char *formatted = xasprintf("%s-%d", "job", 7);

	EXPECT(numbers[0] == 0 && numbers[2] == 0);
	EXPECT(nothing != NULL);
	EXPECT_STR(cut, "abc");
	EXPECT_STR(formatted, "job-7");
	numbers[2] = 9;
	numbers = xreallocarray(numbers, 100, sizeof(*numbers));
	EXPECT_INT(numbers[2], 9);
}

/* How a child ends that runs this: waitpid's status. */
static int status_of(void (*run)(void))
{
	struct rlimit no_core = {0};
	int status;

	EXPECT(setrlimit(RLIMIT_CORE, &no_core) == 0);
	pid_t pid = fork();

	if (pid == 0) {
		run();
		_exit(0);
	}
	EXPECT(waitpid(pid, &status, 0) == pid);
	return status;
}

static void fail_a_check(void)
{
	volatile int one = 1;

	CHECK(one == 2);
}

static void pass_a_check(void)
{
	volatile int one = 1;

	CHECK(one == 1);
}

static void overflow_an_allocation(void)
{
	volatile size_t count = SIZE_MAX / 2;

	free(xreallocarray(NULL, count, 16));
}

TEST(check_aborts_on_failure_only)
{
	EXPECT_INT(WTERMSIG(status_of(fail_a_check)), SIGABRT);
	EXPECT_INT(status_of(pass_a_check), 0);
}

TEST(check_catches_the_overflow_of_a_size)
{
	/* AddressSanitizer catches it first, and exits. */
	EXPECT(status_of(overflow_an_allocation) != 0);
}
