#include "base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"

/* Where the child failed before it became the program. */
enum step {
	STEP_DESCRIPTORS,
	STEP_GROUP,
	STEP_CGROUPS,
	STEP_USER,
	STEP_DIRECTORY,
	STEP_DEATH_SIGNAL,
	STEP_EXEC,
};

/* What the child writes to its parent; less than PIPE_BUF, hence whole. */
struct failure {
	enum step step;
	int errnum;
};

/* Everything after fork is async-signal-safe: the parent may have threads. */
__attribute__((noreturn)) static void child_fail(int report_fd, enum step step)
{
	struct failure failure = {.step = step, .errnum = errno};

	/* Without a reader there is nobody to tell. */
	(void)!write(report_fd, &failure, sizeof(failure));
	_exit(127);
}

/* Puts the chosen descriptors at 0, 1 and 2, whatever numbers they have now. */
static bool set_descriptors(const struct spawn_options *options)
{
	int from[3] = {options->stdin_fd, options->stdout_fd, options->stderr_fd};

	for (int i = 0; i < 3; i++) {
		if (i == 0 && from[i] < 0)
			from[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		else if (from[i] < 0)
			continue;
		if (from[i] < 0)
			return false;
		from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 3);
		if (from[i] < 0)
			return false;
	}
	for (int i = 0; i < 3; i++) {
		if (from[i] >= 0 && dup2(from[i], i) < 0)
			return false;
	}
	return true;
}

static void reset_signals(void)
{
	/* The kernel's own struct of a default action: all zeros. Through the system call, because
	 * the C library keeps two signals for itself, which a parent may have been started with
	 * ignored. */
	const unsigned long action[4] = {0};
	sigset_t none;

	/* SIGKILL and SIGSTOP refuse, and need none. */
	for (int number = 1; number < NSIG; number++)
		(void)syscall(SYS_rt_sigaction, number, action, NULL, sizeof(unsigned long));
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool join_cgroups(const struct spawn_options *options)
{
	for (const char *const *path = options->join_cgroups; path != NULL && *path != NULL;
	     path++) {
		CLEANUP(cleanup_fd) int fd = open(*path, O_WRONLY | O_CLOEXEC);

		/* "0" means the writer. */
		if (fd < 0 || write(fd, "0", 1) != 1)
			return false;
	}
	return true;
}

static bool set_user(const struct spawn_options *options)
{
	if (options->uid == 0)
		return true;
	return setgroups(1, &options->gid) == 0 &&
	       setresgid(options->gid, options->gid, options->gid) == 0 &&
	       setresuid(options->uid, options->uid, options->uid) == 0;
}

/* After the change of user, which clears it. Fails when the parent has died meanwhile. */
static bool set_death_signal(const struct spawn_options *options, pid_t parent)
{
	if (options->death_signal == 0)
		return true;
	if (prctl(PR_SET_PDEATHSIG, options->death_signal) != 0)
		return false;
	errno = ESRCH;
	return getppid() == parent;
}

/* execve changes no string, and C cannot say so. */
static char *const *strings(const char *const *constant)
{
	union {
		const char *const *constant;
		char *const *strings;
	} both = {.constant = constant};

	return both.strings;
}

__attribute__((noreturn)) static void run_child(const struct spawn_options *options,
						const char *program, pid_t parent, int report_fd)
{
	const char *const *envp = options->envp;

	reset_signals();
	report_fd = fcntl(report_fd, F_DUPFD_CLOEXEC, 3);
	if (!set_descriptors(options))
		child_fail(report_fd, STEP_DESCRIPTORS);
	if (options->new_group && setpgid(0, 0) != 0)
		child_fail(report_fd, STEP_GROUP);
	if (!join_cgroups(options))
		child_fail(report_fd, STEP_CGROUPS);
	if (options->umask != 0)
		(void)umask(options->umask);
	if (!set_user(options))
		child_fail(report_fd, STEP_USER);
	if (options->directory != NULL && chdir(options->directory) != 0)
		child_fail(report_fd, STEP_DIRECTORY);
	if (!set_death_signal(options, parent))
		child_fail(report_fd, STEP_DEATH_SIGNAL);
	(void)execve(program, strings(options->argv), envp != NULL ? strings(envp) : environ);
	child_fail(report_fd, STEP_EXEC);
}

int spawn_find(const char *name, char ret[PATH_MAX], struct error *err)
{
	const char *path = getenv("PATH");

	if (strchr(name, '/') != NULL) {
		if (snprintf(ret, PATH_MAX, "%s", name) >= PATH_MAX)
			return error_set_errno(err, ERR_INVALID, ENAMETOOLONG, "cannot run %s",
					       name);
		return 0;
	}
	if (path == NULL || *path == '\0')
		path = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";
	while (*path != '\0') {
		size_t bytes = strcspn(path, ":");
		char candidate[PATH_MAX];
		int wanted =
			snprintf(candidate, sizeof(candidate), "%.*s/%s", (int)bytes, path, name);

		/* An empty element would mean the current directory: never. */
		if (bytes > 0 && wanted > 0 && wanted < PATH_MAX && access(candidate, X_OK) == 0) {
			memcpy(ret, candidate, (size_t)wanted + 1);
			return 0;
		}
		path += bytes;
		path += *path == ':' ? 1 : 0;
	}
	return error_set(err, ERR_NOT_FOUND, "cannot run %s: no such program in PATH", name);
}

static int report_failure(const struct spawn_options *options, const struct failure *failure,
			  struct error *err)
{
	enum error_code code = ERR_INTERNAL;
	const char *what = "cannot start";

	if (failure->errnum == ENOENT || failure->errnum == ENOTDIR)
		code = ERR_NOT_FOUND;
	else if (failure->errnum == EACCES || failure->errnum == EPERM)
		code = ERR_FORBIDDEN;
	switch (failure->step) {
	case STEP_DIRECTORY:
		return error_set_errno(err, code, failure->errnum, "cannot run %s in directory %s",
				       options->argv[0], options->directory);
	case STEP_DESCRIPTORS:
		what = "cannot set up the descriptors of";
		break;
	case STEP_GROUP:
		what = "cannot make a process group for";
		break;
	case STEP_CGROUPS:
		what = "cannot join the cgroups of";
		break;
	case STEP_USER:
		what = "cannot change the user for";
		break;
	case STEP_DEATH_SIGNAL:
		what = "cannot tie our life to that of";
		break;
	case STEP_EXEC:
		what = "cannot run";
		break;
	}
	return error_set_errno(err, code, failure->errnum, "%s %s", what, options->argv[0]);
}

static pid_t wait_for(pid_t pid, int *ret_status)
{
	pid_t reaped;

	do
		reaped = waitpid(pid, ret_status, 0);
	while (reaped < 0 && errno == EINTR);
	return reaped;
}

/* Returns once the child is the program or has failed to become it. */
static int await_exec(const struct spawn_options *options, pid_t pid, int report_fd,
		      struct error *err)
{
	struct failure failure;
	ssize_t got;
	int status;

	do
		got = read(report_fd, &failure, sizeof(failure));
	while (got < 0 && errno == EINTR);
	if (got == 0)
		return 0;
	(void)wait_for(pid, &status);
	if (got != (ssize_t)sizeof(failure))
		return error_set(err, ERR_INTERNAL, "cannot tell whether %s runs",
				 options->argv[0]);
	return report_failure(options, &failure, err);
}

int spawn(const struct spawn_options *options, pid_t *ret_pid, struct error *err)
{
	char program[PATH_MAX];
	sigset_t all;
	sigset_t before;
	int pipe_fds[2];

	CHECK(options->argv[0] != NULL);
	CHECK(options->uid == 0 || options->gid != 0); /* or root's group would be kept */
	if (spawn_find(options->argv[0], program, err) != 0)
		return -1;
	if (pipe2(pipe_fds, O_CLOEXEC) != 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot run %s", options->argv[0]);
	CLEANUP(cleanup_fd) int report_read = pipe_fds[0];
	CLEANUP(cleanup_fd) int report_write = pipe_fds[1];
	pid_t parent = getpid();

	/* None of our signal handlers may run in the child. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	pid_t pid = fork();
	int errnum = errno;

	if (pid == 0)
		run_child(options, program, parent, report_write);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (pid < 0)
		return error_set_errno(err, ERR_UNAVAILABLE, errnum, "cannot run %s",
				       options->argv[0]);
	(void)close(TAKE_FD(report_write));
	if (await_exec(options, pid, report_read, err) != 0)
		return -1;
	*ret_pid = pid;
	return 0;
}

/* Reads what is there; false at the end of the stream. What is over the maximum is dropped. */
static bool drain(int fd, struct buf *output)
{
	char piece[4096];
	ssize_t got;

	while ((got = read(fd, piece, sizeof(piece))) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno == EAGAIN;
		size_t room = output->bytes_max - output->bytes;

		buf_append(output, piece, (size_t)got < room ? (size_t)got : room);
	}
	return false;
}

/* Until the end of the output or of the child: its own children may keep the pipe open. */
static void collect(int fd, pid_t pid, struct buf *output)
{
	CLEANUP(cleanup_fd) int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	bool open = true;

	while (open) {
		struct pollfd waits[] = {{.fd = fd, .events = POLLIN},
					 {.fd = pidfd, .events = POLLIN}};

		if (poll(waits, ARRAY_SIZE(waits), -1) < 0 && errno != EINTR)
			return;
		bool ended = waits[1].revents != 0;

		open = drain(fd, output) && !ended;
	}
}

int spawn_wait(const struct spawn_options *options, struct buf *output, int *ret_status,
	       struct error *err)
{
	struct spawn_options with_pipe = *options;
	int pipe_fds[2] = {-1, -1};
	int status = 0;
	pid_t pid = -1;

	if (output != NULL && pipe2(pipe_fds, O_CLOEXEC) != 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot run %s", options->argv[0]);
	CLEANUP(cleanup_fd) int read_fd = pipe_fds[0];
	CLEANUP(cleanup_fd) int write_fd = pipe_fds[1];

	if (output != NULL) {
		/* Only our end: the child expects writes that block. */
		if (fcntl(read_fd, F_SETFL, O_NONBLOCK) != 0)
			return error_set_errno(err, ERR_INTERNAL, errno, "cannot run %s",
					       options->argv[0]);
		if (with_pipe.stdout_fd < 0)
			with_pipe.stdout_fd = write_fd;
		if (with_pipe.stderr_fd < 0)
			with_pipe.stderr_fd = write_fd;
	}
	if (spawn(&with_pipe, &pid, err) != 0)
		return -1;
	if (output != NULL) {
		(void)close(TAKE_FD(write_fd));
		collect(read_fd, pid, output);
	}
	if (wait_for(pid, &status) != pid)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot wait for %s",
				       options->argv[0]);
	*ret_status = status;
	return 0;
}
