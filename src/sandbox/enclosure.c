#include "sandbox/enclosure.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "sandbox/cgroup.h"
#include "sandbox/id_map.h"
#include "sandbox/sandbox.h"

#define ENCLOSURE_BYTES_MAX "64m"

/* Three processes: the outer one stays in the caller's namespaces, the init of the new pid
 * namespace reaps and forwards, the worker goes on in the caller's code. */
struct enclosure {
	int go_read;   /* the init waits here for its id map; hang-up: the outer process is gone */
	int go_write;
	int status_read; /* the worker's wait status, from the init to the outer process */
	int status_write;
	sigset_t handled;
	sigset_t mask_before;
};

static void enclosure_init(struct enclosure *enclosure)
{
	*enclosure = (struct enclosure){
		.go_read = -1, .go_write = -1, .status_read = -1, .status_write = -1};
	sigemptyset(&enclosure->handled);
	sigaddset(&enclosure->handled, SIGTERM);
	sigaddset(&enclosure->handled, SIGINT);
	sigaddset(&enclosure->handled, SIGHUP);
	sigaddset(&enclosure->handled, SIGCHLD);
}

static void enclosure_release(struct enclosure *enclosure)
{
	cleanup_fd(&enclosure->go_read);
	cleanup_fd(&enclosure->go_write);
	cleanup_fd(&enclosure->status_read);
	cleanup_fd(&enclosure->status_write);
}

static int enclosure_pipes(struct enclosure *enclosure, struct error *err)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot make a pipe");
	enclosure->go_read = ends[0];
	enclosure->go_write = ends[1];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot make a pipe");
	enclosure->status_read = ends[0];
	enclosure->status_write = ends[1];
	return 0;
}

/* Ends as the worker did. */
__attribute__((noreturn)) static void end_as(int status)
{
	if (WIFSIGNALED(status)) {
		int number = WTERMSIG(status);
		sigset_t only;
		sigemptyset(&only);
		sigaddset(&only, number);
		(void)signal(number, SIG_DFL);
		(void)prctl(PR_SET_DUMPABLE, 0); /* the core, if any, is the worker's */
		(void)kill(getpid(), number);
		(void)sigprocmask(SIG_UNBLOCK, &only, NULL);
		_exit(128 + number);
	}
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

/* The outer process: forwards until the init is gone. */
__attribute__((noreturn)) static void run_outer(const struct enclosure *enclosure, pid_t init)
{
	(void)prctl(PR_SET_NAME, "rgrid-outer");
	for (;;) {
		int number = sigwaitinfo(&enclosure->handled, NULL);
		if (number > 0 && number != SIGCHLD)
			(void)kill(init, number);
		if (number != SIGCHLD)
			continue;
		int init_status;
		if (waitpid(init, &init_status, WNOHANG) != init)
			continue;
		int worker_status;
		ssize_t got = read(enclosure->status_read, &worker_status, sizeof(worker_status));
		end_as(got == (ssize_t)sizeof(worker_status) ? worker_status : init_status);
	}
}

/* Process 1 of the enclosure. Its end takes everything inside along. */
__attribute__((noreturn)) static void run_init(const struct enclosure *enclosure, pid_t worker)
{
	(void)prctl(PR_SET_NAME, "rgrid-init");
	for (;;) {
		int number = sigwaitinfo(&enclosure->handled, NULL);
		if (number > 0 && number != SIGCHLD)
			(void)kill(worker, number);
		if (number != SIGCHLD)
			continue;
		int status;
		for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
			if (pid != worker)
				continue;
			ssize_t ignored = write(enclosure->status_write, &status, sizeof(status));
			(void)ignored; /* the outer process is gone: nobody to tell */
			_exit(0);
		}
	}
}

/* Waits for the outer process to write our id map, then ties our life to its. */
static void await_go(struct enclosure *enclosure)
{
	cleanup_fd(&enclosure->go_write);
	enclosure->go_write = -1;
	char byte;
	ssize_t got;
	do {
		got = read(enclosure->go_read, &byte, 1);
	} while (got < 0 && errno == EINTR);
	if (got != 1)
		_exit(1);
	/* After the id map, as a change of identity clears it. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		_exit(1);
	struct pollfd outer = {.fd = enclosure->go_read, .events = POLLIN};
	if (poll(&outer, 1, 0) != 0)
		_exit(1); /* hung up before the death signal was set */
	/* A terminal's signals reach the outer process only, so that each arrives once. */
	(void)setpgid(0, 0);
}

static bool is_file_system(const char *path, unsigned long magic)
{
	struct statfs status;
	return statfs(path, &status) == 0 && (unsigned long)status.f_type == magic;
}

static int mount_private(struct error *err)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return error_set_errno(err, ERR_FORBIDDEN, errno,
				       "cannot detach from the host's mounts");
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0) {
		error_set_errno(err, ERR_FORBIDDEN, errno, "cannot mount a /proc of our own");
		return error_hint(err, "inside a container, /proc must not be masked");
	}
	/* crun up to 1.8 refuses a hybrid layout whose cgroup2 has a controller of its own. */
	if (is_file_system("/sys/fs/cgroup", TMPFS_MAGIC) &&
	    is_file_system("/sys/fs/cgroup/unified", CGROUP2_SUPER_MAGIC) &&
	    mount("none", "/sys/fs/cgroup/unified", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  "size=64k,mode=755") < 0)
		return error_set_errno(err, ERR_FORBIDDEN, errno,
				       "cannot cover /sys/fs/cgroup/unified");
	if (mount("rgrid", ENCLOSURE_DIRECTORY, "tmpfs", MS_NOSUID | MS_NODEV,
		  "mode=755,size=" ENCLOSURE_BYTES_MAX) < 0)
		return error_set_errno(err, ERR_FORBIDDEN, errno, "cannot mount a tmpfs on %s",
				       ENCLOSURE_DIRECTORY);
	CLEANUP(cleanup_fd)
	int mark = open(ENCLOSURE_MARK, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (mark < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot create %s",
				       ENCLOSURE_MARK);
	return 0;
}

/* In the child of the clone: becomes the init, and returns only in its child, the worker. */
static int enter(struct enclosure *enclosure, struct error *err)
{
	await_go(enclosure);
	pid_t worker = fork();
	if (worker < 0)
		_exit(1);
	if (worker > 0) {
		cleanup_fd(&enclosure->status_read);
		run_init(enclosure, worker);
	}
	(void)sigprocmask(SIG_SETMASK, &enclosure->mask_before, NULL);
	return mount_private(err);
}

int sandbox_enclose(struct error *err)
{
	bool rootless = geteuid() != 0;
	CLEANUP(enclosure_release) struct enclosure enclosure;
	enclosure_init(&enclosure);
	if (enclosure_pipes(&enclosure, err) < 0)
		return -1;
	cgroup_enter_leaf(CGROUP_MOUNT);
	(void)fflush(NULL); /* nothing buffered may be written twice */
	(void)sigprocmask(SIG_BLOCK, &enclosure.handled, &enclosure.mask_before);

	unsigned long flags = CLONE_NEWPID | CLONE_NEWNS | (rootless ? CLONE_NEWUSER : 0UL);
	pid_t init = (pid_t)syscall(SYS_clone, flags | (unsigned long)SIGCHLD, NULL, NULL, NULL,
				    NULL);
	if (init == 0)
		return enter(&enclosure, err);
	if (init < 0) {
		int errnum = errno;
		(void)sigprocmask(SIG_SETMASK, &enclosure.mask_before, NULL);
		error_set_errno(err, ERR_FORBIDDEN, errnum, "cannot make namespaces for the jobs");
		return error_hint(err,
				  "run as root, or allow unprivileged user namespaces "
				  "(sysctl kernel.unprivileged_userns_clone, "
				  "kernel.apparmor_restrict_unprivileged_userns, "
				  "user.max_user_namespaces)");
	}
	int result = rootless ? id_map_write_own(init, err) : 0;
	if (result == 0 && write(enclosure.go_write, "", 1) != 1)
		result = error_set_errno(err, ERR_INTERNAL, errno, "cannot start the enclosure");
	if (result < 0) {
		(void)kill(init, SIGKILL);
		(void)waitpid(init, NULL, 0);
		(void)sigprocmask(SIG_SETMASK, &enclosure.mask_before, NULL);
		return -1;
	}
	cleanup_fd(&enclosure.status_write); /* so that its end is seen when the init dies */
	enclosure.status_write = -1;
	run_outer(&enclosure, init);
}

int enclosure_check(struct error *err)
{
	if (access(ENCLOSURE_MARK, F_OK) == 0)
		return 0;
	return error_set(err, ERR_INTERNAL, "the sandbox was opened outside of its enclosure");
}
