#include "sandbox/job_init.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The signals of process 1 need no handlers: what is not handled is not delivered to it. */
static void ignore_signals(void)
{
	struct sigaction by_default = {.sa_handler = SIG_DFL};
	for (int number = 1; number < NSIG; number++)
		(void)sigaction(number, &by_default, NULL); /* fails for those of the library */
	/* Ignored, so that the kernel reaps the orphans itself. */
	(void)signal(SIGCHLD, SIG_IGN);
	sigset_t none;
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* go_fd: a byte arrives when the ids are mapped; it hangs up when the worker is gone. ready_fd is
 * closed when nothing of the worker is left to be seen. */
__attribute__((noreturn)) static void run(int go_fd, int ready_fd)
{
	char byte;
	if (dup2(go_fd, STDIN_FILENO) < 0 || dup2(ready_fd, STDOUT_FILENO) < 0 ||
	    syscall(SYS_close_range, STDERR_FILENO, ~0U, 0) < 0)
		_exit(1);
	ignore_signals();
	(void)setsid();
	(void)chdir("/");
	(void)prctl(PR_SET_NAME, "init");
	if (read(STDIN_FILENO, &byte, 1) != 1 || prctl(PR_SET_DUMPABLE, 0) < 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		_exit(1);
	struct pollfd worker = {.fd = STDIN_FILENO, .events = POLLIN};
	if (poll(&worker, 1, 0) != 0)
		_exit(1); /* gone before the death signal was set */
	if (write(STDOUT_FILENO, "", 1) != 1)
		_exit(1);
	(void)syscall(SYS_close_range, 0, ~0U, 0);
	for (;;)
		(void)pause();
}

static int map_and_go(pid_t pid, const struct slot_ids *ids, int go_fd, int ready_fd,
		      struct error *err)
{
	if (id_map_write_slot(pid, ids, err) < 0)
		return -1;
	char byte;
	if (write(go_fd, "", 1) != 1 || read(ready_fd, &byte, 1) != 1)
		return error_set(err, ERR_INTERNAL, "the job's init ended at once");
	return 0;
}

int job_init_start(const struct slot_ids *ids, pid_t *ret_pid, struct error *err)
{
	int go[2];
	int ready[2];
	if (pipe2(go, O_CLOEXEC) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot make a pipe");
	CLEANUP(cleanup_fd) int go_read = go[0];
	CLEANUP(cleanup_fd) int go_write = go[1];
	if (pipe2(ready, O_CLOEXEC) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot make a pipe");
	CLEANUP(cleanup_fd) int ready_read = ready[0];
	CLEANUP(cleanup_fd) int ready_write = ready[1];

	/* Signals stay blocked over the clone, so that no handler of the worker runs in the child.
	 */
	sigset_t all;
	sigset_t before;
	sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &before);
	unsigned long flags = CLONE_NEWUSER | CLONE_NEWPID | (unsigned long)SIGCHLD;
	pid_t pid = (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);
	if (pid == 0) {
		(void)close(go_write);
		run(go_read, ready_write);
	}
	int errnum = errno;
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	if (pid < 0)
		return error_set_errno(err, ERR_UNAVAILABLE, errnum,
				       "cannot make the job's namespaces");
	cleanup_fd(&ready_write);
	ready_write = -1;
	if (map_and_go(pid, ids, go_write, ready_read, err) < 0) {
		job_init_end(&pid);
		return -1;
	}
	*ret_pid = pid;
	return 0;
}

void job_init_end(pid_t *pid)
{
	if (*pid <= 0)
		return;
	(void)kill(*pid, SIGKILL);
	while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
		;
	*pid = 0;
}
