#include "worker/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "worker/timer.h"

struct process {
	struct process_options options;
	pid_t pid; /* 0 once it is reaped */
	int pid_fd;
	sd_event_source *exit_source;
	struct timer timeout;
	uint64_t started_us;
	bool timed_out;
};

static void ended(struct process *process, int wait_status)
{
	struct process_ending ending = {
		.timed_out = process->timed_out,
		.run_us = clock_boottime_us() - process->started_us,
	};

	process->pid = 0;
	timer_disarm(&process->timeout);
	process->exit_source = sd_event_source_disable_unref(process->exit_source);
	sandbox_finish(process->options.sandbox, process->options.slot, wait_status,
		       &ending.result);
	process->options.on_ended(process->options.context, &ending);
}

static int on_exit_readable(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct process *process = context;
	int wait_status;

	(void)source;
	(void)fd;
	(void)events;
	if (waitpid(process->pid, &wait_status, WNOHANG) == process->pid)
		ended(process, wait_status);
	return 0;
}

static void on_timeout(void *context)
{
	struct process *process = context;

	process->timed_out = true;
	process_kill(process);
}

static int make_pipe(const struct tree_owner *owner, int *ret_read, int *ret_write,
		     struct error *err)
{
	CLEANUP(cleanup_fd) int read_end = -1;
	CLEANUP(cleanup_fd) int write_end = -1;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot make a pipe");
	read_end = ends[0];
	write_end = ends[1];
	if (fs_set_nonblocking(read_end, err) < 0)
		return -1;
	/* Without the right to do so the job merely cannot open it by name. */
	(void)!fchown(write_end, owner->uid, owner->gid);
	*ret_read = TAKE_FD(read_end);
	*ret_write = TAKE_FD(write_end);
	return 0;
}

static int watch(struct process *process, struct error *err)
{
	int failed;

	process->pid_fd = pidfd_open(process->pid, 0);
	failed = process->pid_fd < 0
			 ? -errno
			 : sd_event_add_io(process->options.event, &process->exit_source,
					   process->pid_fd, EPOLLIN, on_exit_readable, process);
	if (failed < 0)
		return error_set_errno(err, ERR_INTERNAL, -failed,
				       "cannot watch the job's process");
	return 0;
}

int process_start(const struct process_options *options, struct process **ret, int *ret_stdout_fd,
		  int *ret_stderr_fd, struct error *err)
{
	CLEANUP(cleanup_fd) int stdout_read = -1;
	CLEANUP(cleanup_fd) int stdout_write = -1;
	CLEANUP(cleanup_fd) int stderr_read = -1;
	CLEANUP(cleanup_fd) int stderr_write = -1;
	struct sandbox_run run = *options->run;
	struct process *process;

	if (make_pipe(&options->owner, &stdout_read, &stdout_write, err) < 0 ||
	    make_pipe(&options->owner, &stderr_read, &stderr_write, err) < 0)
		return -1;
	run.stdout_fd = stdout_write;
	run.stderr_fd = stderr_write;
	process = xcalloc(1, sizeof(*process));
	process->options = *options;
	process->options.run = NULL;
	process->pid_fd = -1;
	process->started_us = clock_boottime_us();
	timer_init(&process->timeout, options->event, SD_EVENT_PRIORITY_NORMAL, on_timeout,
		   process);
	if (sandbox_start(options->sandbox, options->slot, &run, &process->pid, err) < 0) {
		process->pid = 0;
		process_free(process);
		return -1;
	}
	if (watch(process, err) < 0) {
		process_free(process);
		return -1;
	}
	timer_arm(&process->timeout, run.limits.timeout_ms);
	*ret_stdout_fd = TAKE_FD(stdout_read);
	*ret_stderr_fd = TAKE_FD(stderr_read);
	*ret = process;
	return 0;
}

void process_kill(struct process *process)
{
	if (process->pid != 0)
		sandbox_kill(process->options.sandbox, process->options.slot);
}

void process_free(struct process *process)
{
	if (!process)
		return;
	if (process->pid != 0) {
		struct sandbox_result ignored;
		int wait_status = 0;

		process_kill(process);
		(void)waitpid(process->pid, &wait_status, 0);
		sandbox_finish(process->options.sandbox, process->options.slot, wait_status,
			       &ignored);
	}
	sd_event_source_disable_unref(process->exit_source);
	cleanup_fd(&process->pid_fd);
	timer_release(&process->timeout);
	free(process);
}
