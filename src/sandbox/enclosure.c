/* The worker's own namespaces. Three processes: the outer one, whose pid others know; the first of
 * the new pid namespace, which reaps and passes signals on; and the worker. The kernel ends the
 * whole pid namespace with its first process, and that one dies with the outer one. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/fs.h"
#include "base/spawn.h"
#include "sandbox/cgroup.h"
#include "sandbox/sandbox.h"

#define HYBRID_CGROUP2 "/sys/fs/cgroup/unified"

static int wait_status_to_exit(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void signals_to_forward(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGCHLD);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
}

/* Passes signals to `child`, reaps everything, ends as the child does. */
__attribute__((noreturn)) static void supervise(pid_t child)
{
	sigset_t wanted;
	signals_to_forward(&wanted);
	for (;;) {
		siginfo_t info;
		int number = sigwaitinfo(&wanted, &info);
		if (number < 0)
			continue;
		if (number != SIGCHLD) {
			(void)kill(child, number); /* it may be gone: then SIGCHLD follows */
			continue;
		}
		int status;
		pid_t pid;
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
			if (pid == child)
				_exit(wait_status_to_exit(status));
		}
	}
}

static int write_text(const char *path, const char *text, struct error *err)
{
	CLEANUP(cleanup_fd) int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot open %s", path);
	if (fs_write_all(fd, text, strlen(text), err) < 0)
		return error_wrap(err, "%s", path);
	return 0;
}

/* "newuidmap PID 0 UID 1 1 SUBUID 65536" by the set-uid helper; fails where no range is granted. */
static int map_range(const char *program, pid_t pid, unsigned own, unsigned first,
		     struct error *err)
{
	char pid_text[16];
	char own_text[16];
	char first_text[16];
	(void)snprintf(pid_text, sizeof(pid_text), "%d", pid);
	(void)snprintf(own_text, sizeof(own_text), "%u", own);
	(void)snprintf(first_text, sizeof(first_text), "%u", first);
	const char *argv[] = {program, pid_text,   "0",	    own_text, "1",
			      "1",     first_text, "65536", NULL};
	struct buf output;
	int status;
	buf_init(&output, 1024);
	struct spawn_options options = {
		.argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
	int result = spawn_wait(&options, &output, &status, err);
	if (result == 0 && status != 0)
		result = error_set(err, ERR_UNAVAILABLE, "%s: %s", program, output.data);
	buf_release(&output);
	return result;
}

/* The first range of at least 65536 ids that `path` (/etc/subuid) grants to the user. */
static bool find_range(const char *path, const char *user, unsigned *ret_first)
{
	CLEANUP(cleanup_file) FILE *file = fopen(path, "re");
	char line[256];
	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		char *first = strchr(line, ':');
		char *count = first != NULL ? strchr(first + 1, ':') : NULL;
		if (count == NULL)
			continue;
		*first = '\0';
		if (strcmp(line, user) == 0 && strtoul(count + 1, NULL, 10) >= 65536) {
			*ret_first = (unsigned)strtoul(first + 1, NULL, 10);
			return true;
		}
	}
	return false;
}

/* Maps the child's ids: this user is root inside; with a granted range also 65536 others. */
static int map_ids(pid_t pid, struct error *err)
{
	struct passwd *user = getpwuid(getuid());
	unsigned first_uid = 0;
	unsigned first_gid = 0;
	if (user != NULL && find_range("/etc/subuid", user->pw_name, &first_uid) &&
	    find_range("/etc/subgid", user->pw_name, &first_gid) &&
	    map_range("newuidmap", pid, getuid(), first_uid, err) == 0)
		return map_range("newgidmap", pid, getgid(), first_gid, err);

	char path[64];
	char text[64];
	(void)snprintf(path, sizeof(path), "/proc/%d/setgroups", pid);
	if (write_text(path, "deny", err) < 0)
		return -1;
	(void)snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	(void)snprintf(text, sizeof(text), "0 %u 1", getuid());
	if (write_text(path, text, err) < 0)
		return -1;
	(void)snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	(void)snprintf(text, sizeof(text), "0 %u 1", getgid());
	return write_text(path, text, err);
}

static int set_up_mounts(struct error *err)
{
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot make mounts private");
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot mount /proc anew");
	/* crun refuses to work beside version 2 of cgroups that is mounted within version 1. */
	struct stat status;
	if (stat(HYBRID_CGROUP2, &status) == 0 &&
	    mount("none", HYBRID_CGROUP2, "tmpfs", MS_RDONLY, "size=4k") < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot cover %s", HYBRID_CGROUP2);
	return 0;
}

/* In the first process of the namespace: returns 0 in the worker, -1 on failure, else never. */
static int become_worker(int gate_fd, bool is_rootless, struct error *err)
{
	char go;
	if (read(gate_fd, &go, 1) != 1)
		_exit(125); /* the outer process has said why */
	if (is_rootless && (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
		return error_set_errno(err, ERR_INTERNAL, errno,
				       "cannot become root of the namespace");
	/* After the change of user, which clears it. The gate closes with the outer process. */
	struct pollfd gate = {.fd = gate_fd};
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || (poll(&gate, 1, 0) > 0 && gate.revents != 0))
		_exit(125);
	(void)setsid(); /* a terminal's Ctrl-C reaches the outer process alone, which passes it on
			 */
	if (set_up_mounts(err) < 0)
		return -1;
	pid_t worker = fork();
	if (worker < 0)
		return error_set_errno(err, ERR_UNAVAILABLE, errno, "cannot start a process");
	if (worker != 0) {
		(void)close(gate_fd);
		supervise(worker);
	}
	return 0;
}

int sandbox_enclose(struct error *err)
{
	bool is_rootless = geteuid() != 0;
	unsigned long namespaces = CLONE_NEWNS | CLONE_NEWPID | (is_rootless ? CLONE_NEWUSER : 0);
	int ends[2];

	cgroup_make_room();
	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot make a pipe");
	CLEANUP(cleanup_fd) int gate_read = ends[0];
	CLEANUP(cleanup_fd) int gate_write = ends[1];
	sigset_t forwarded;
	sigset_t before;
	signals_to_forward(&forwarded);
	(void)sigprocmask(SIG_BLOCK, &forwarded, &before);

	pid_t pid = (pid_t)syscall(SYS_clone, namespaces | SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid < 0) {
		error_set_errno(err, ERR_FORBIDDEN, errno, "cannot make namespaces for the worker");
		return error_hint(
			err, is_rootless
				     ? "allow user namespaces (sysctl user.max_user_namespaces, "
				       "kernel.unprivileged_userns_clone), or run as root"
				     : "run as root of the machine, not of a container");
	}
	if (pid == 0) {
		cleanup_fd(&gate_write);
		gate_write = -1;
		int result = become_worker(gate_read, is_rootless, err);
		(void)sigprocmask(SIG_SETMASK, &before, NULL);
		return result;
	}
	if (is_rootless && map_ids(pid, err) < 0) {
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		return error_wrap(err, "cannot map user ids");
	}
	if (write(gate_write, "g", 1) != 1)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot start the worker");
	supervise(pid);
}
