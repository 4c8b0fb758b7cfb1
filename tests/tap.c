#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TEST_SECONDS_MAX 120
#define OUTPUT_BYTES_MAX 65536
#define EXIT_SKIPPED	 77

static struct tap_test *first_test;

/* Constructors run in file order; tests are kept in that order. */
void tap_register(struct tap_test *test)
{
	struct tap_test **end = &first_test;
	while (*end != NULL)
		end = &(*end)->next;
	*end = test;
}

void tap_fail(const char *file, int line, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	printf("%s:%d: ", file, line);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
	fflush(stdout);
	_exit(1); /* what the broken-off test still holds is no leak to report */
}

void tap_skip(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	fflush(stdout);
	_exit(EXIT_SKIPPED);
}

static int remove_visited(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)status, (void)type, (void)where;
	return remove(path);
}

__attribute__((noreturn)) static void run_child(const struct tap_test *test, const char *directory,
						int output_fd)
{
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(output_fd, STDOUT_FILENO);
	dup2(output_fd, STDERR_FILENO);
	if (chdir(directory) < 0)
		_exit(2);
	test->run();
	exit(0);
}

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Collects the test's output until it has ended or its time is up; returns the wait status, or -1.
 */
static int await(pid_t pid, int fd, char *output, size_t *bytes)
{
	int64_t deadline_ms = now_ms() + TEST_SECONDS_MAX * 1000;
	for (;;) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		char chunk[4096];
		int status;

		if (poll(&ready, 1, 20) > 0) {
			ssize_t got = read(fd, chunk, sizeof(chunk));
			size_t room = OUTPUT_BYTES_MAX - *bytes;
			size_t kept = got <= 0 ? 0 : (size_t)got < room ? (size_t)got : room;

			memcpy(output + *bytes, chunk, kept);
			*bytes += kept;
			if (got == 0)
				fd = -1; /* closed: poll only passes the time now */
		}
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
		if (now_ms() > deadline_ms) {
			kill(-pid, SIGKILL);
			waitpid(pid, &status, 0);
			return -1;
		}
	}
}

static void print_comment(const char *output, size_t bytes)
{
	bool at_line_start = true;
	for (size_t i = 0; i < bytes; i++) {
		if (at_line_start)
			fputs("# ", stdout);
		putchar(output[i]);
		at_line_start = output[i] == '\n';
	}
	if (!at_line_start)
		putchar('\n');
}

static bool report(const struct tap_test *test, int number, int status, const char *output,
		   size_t bytes)
{
	if (status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIPPED) {
		printf("ok %d - %s # SKIP %.*s\n", number, test->name, (int)bytes, output);
		return true;
	}
	bool passed = status == 0;
	printf("%s %d - %s\n", passed ? "ok" : "not ok", number, test->name);
	if (passed)
		return true;
	print_comment(output, bytes);
	if (status < 0)
		printf("# killed: it took more than %d s\n", TEST_SECONDS_MAX);
	else if (WIFSIGNALED(status))
		printf("# ended by signal %d\n", WTERMSIG(status));
	return false;
}

static bool run_test(const struct tap_test *test, int number)
{
	static char output[OUTPUT_BYTES_MAX];
	size_t bytes = 0;
	char directory[] = "/tmp/rgrid-test-XXXXXX";
	int ends[2];

	if (mkdtemp(directory) == NULL || pipe2(ends, O_CLOEXEC) < 0 ||
	    fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) {
		printf("Bail out! cannot set up a test: %s\n", strerror(errno));
		exit(1);
	}
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0)
		run_child(test, directory, ends[1]);
	setpgid(pid, pid);
	close(ends[1]);
	int status = await(pid, ends[0], output, &bytes);
	kill(-pid, SIGKILL);
	/* What was written just before the end. */
	for (ssize_t got; bytes < OUTPUT_BYTES_MAX &&
			  (got = read(ends[0], output + bytes, OUTPUT_BYTES_MAX - bytes)) > 0;)
		bytes += (size_t)got;
	close(ends[0]);
	nftw(directory, remove_visited, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	return report(test, number, status, output, bytes);
}

int main(int argc, char **argv)
{
	const char *wanted = argc > 1 ? argv[1] : "";
	int count = 0;
	bool all_passed = true;

	setvbuf(stdout, NULL, _IOLBF, 0); /* a test that crashes loses no line */
	for (const struct tap_test *test = first_test; test != NULL; test = test->next)
		count += strstr(test->name, wanted) != NULL;
	printf("1..%d\n", count);
	int number = 0;
	for (const struct tap_test *test = first_test; test != NULL; test = test->next) {
		if (strstr(test->name, wanted) != NULL)
			all_passed &= run_test(test, ++number);
	}
	return all_passed && count > 0 ? 0 : 1;
}
