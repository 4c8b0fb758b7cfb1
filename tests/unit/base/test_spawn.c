#include "base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "tap.h"

#define SH(script) ((const char *const[]){"sh", "-c", (script), NULL})

/* Runs it and expects that output and exit status. */
static void expect_run(const struct spawn_options *options, const char *output, int exit_code)
{
	CLEANUP(cleanup_buf) struct buf out;
	struct error err;
	int status;

	buf_init(&out, 10000);
	EXPECT_OK(spawn_wait(options, &out, &status, &err), err);
	EXPECT_STR(out.data, output);
	EXPECT(WIFEXITED(status));
	EXPECT_INT(WEXITSTATUS(status), exit_code);
}

static struct spawn_options options_of(const char *const *argv)
{
	return (struct spawn_options){
		.argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
}

TEST(spawn_collects_both_streams_and_the_status)
{
	struct spawn_options options = options_of(SH("echo out; echo err >&2; exit 3"));

	expect_run(&options, "out\nerr\n", 3);
}

TEST(spawn_passes_arguments_untouched)
{
	static const char *const argv[] = {"printf", "%s|", "a b", "$HOME", "*", "", "\n", NULL};
	struct spawn_options options = options_of(argv);

	expect_run(&options, "a b|$HOME|*||\n|", 0);
}

TEST(spawn_environment_and_directory)
{
	static const char *const envp[] = {"ONLY=this", NULL};
	static const char *const argv[] = {"/usr/bin/env", NULL};
	struct spawn_options options = options_of(argv);

	options.envp = envp;
	expect_run(&options, "ONLY=this\n", 0);
	EXPECT(setenv("INHERITED", "yes", 1) == 0);
	options = options_of(SH("echo $INHERITED; pwd"));
	options.directory = "/usr";
	expect_run(&options, "yes\n/usr\n", 0);
}

TEST(spawn_stdin_is_empty_unless_given)
{
	struct spawn_options options = options_of(SH("cat; echo end"));
	struct error err;

	expect_run(&options, "end\n", 0);
	EXPECT_OK(fs_write_atomic("in", "text\n", 5, 0644, &err), err);
	CLEANUP(cleanup_fd) int fd = open("in", O_RDONLY | O_CLOEXEC);

	options.stdin_fd = fd;
	expect_run(&options, "text\nend\n", 0);
}

TEST(spawn_joins_cgroups_before_it_is_the_program)
{
	/* Plain files in the place of cgroup.procs show what is written, and when. */
	static const char *const joined[] = {"first", "second", NULL};
	static const char *const absent[] = {"first", "no/such", NULL};
	struct spawn_options options = options_of(SH("cat first second"));
	struct error err;
	pid_t pid;

	EXPECT_OK(fs_write_atomic("first", "", 0, 0644, &err), err);
	EXPECT_OK(fs_write_atomic("second", "", 0, 0644, &err), err);
	options.join_cgroups = joined;
	expect_run(&options, "00", 0);
	options.join_cgroups = absent;
	EXPECT_ERR(spawn(&options, &pid, &err), err, ERR_NOT_FOUND);
	EXPECT_STR(err.msg, "cannot join the cgroups of sh: No such file or directory");
}

TEST(spawn_reports_failure_to_exec)
{
	static const char *const absent[] = {"rgrid-no-such-program", NULL};
	static const char *const absent_path[] = {"/no/such/program", NULL};
	static const char *const not_executable[] = {"/etc/passwd", NULL};
	static const char *const directory[] = {"/etc", NULL};
	struct spawn_options options = options_of(absent);
	struct error err;
	pid_t pid = 7;

	EXPECT_ERR(spawn(&options, &pid, &err), err, ERR_NOT_FOUND);
	EXPECT_STR(err.msg, "cannot run rgrid-no-such-program: no such program in PATH");
	options.argv = absent_path;
	EXPECT_ERR(spawn(&options, &pid, &err), err, ERR_NOT_FOUND);
	EXPECT_INT(err.errnum, ENOENT);
	options.argv = not_executable;
	EXPECT_ERR(spawn(&options, &pid, &err), err, ERR_FORBIDDEN);
	options.argv = directory;
	EXPECT_ERR(spawn(&options, &pid, &err), err, ERR_FORBIDDEN);
	options.argv = SH("true");
	options.directory = "/no/such/directory";
	EXPECT_ERR(spawn(&options, &pid, &err), err, ERR_NOT_FOUND);
	EXPECT_STR(err.msg,
		   "cannot run sh in directory /no/such/directory: No such file or directory");
	EXPECT_INT(pid, 7);
	/* The failed children are reaped. */
	EXPECT(waitpid(-1, NULL, WNOHANG) == -1);
	EXPECT_INT(errno, ECHILD);
}

TEST(spawn_never_looks_in_the_current_directory)
{
	static const char *const argv[] = {"sneaky", NULL};
	struct spawn_options options = options_of(argv);
	struct error err;
	pid_t pid;

	EXPECT_OK(fs_write_atomic("sneaky", "#!/bin/sh\n", 10, 0755, &err), err);
	EXPECT(setenv("PATH", ":/nowhere::", 1) == 0);
	EXPECT_ERR(spawn(&options, &pid, &err), err, ERR_NOT_FOUND);
	EXPECT(unsetenv("PATH") == 0);
	EXPECT_ERR(spawn(&options, &pid, &err), err, ERR_NOT_FOUND);
}

TEST(spawn_leaks_no_descriptor)
{
	struct spawn_options options = options_of(SH("ls /proc/self/fd"));

	/* What whoever started the test leaves open is not ours to judge. */
	EXPECT(close_range(3, ~0U, 0) == 0);
	CLEANUP(cleanup_fd) int kept = open("/dev/null", O_RDWR | O_CLOEXEC);

	EXPECT(kept >= 0);
	/* 3 is the directory that ls reads. */
	expect_run(&options, "0\n1\n2\n3\n", 0);
}

TEST(spawn_places_descriptors_that_are_in_each_others_way)
{
	struct spawn_options options = options_of(SH("echo to-out; echo to-err >&2"));
	CLEANUP(cleanup_buf) struct buf out;
	struct error err;
	int status;
	pid_t pid;

	/* Our 2 is to be the child's 1, and our 1 its 2. */
	EXPECT(dup2(open("one", O_RDWR | O_CREAT | O_CLOEXEC, 0600), 1) == 1);
	EXPECT(dup2(open("two", O_RDWR | O_CREAT | O_CLOEXEC, 0600), 2) == 2);
	options.stdout_fd = 2;
	options.stderr_fd = 1;
	EXPECT_OK(spawn(&options, &pid, &err), err);
	EXPECT(waitpid(pid, &status, 0) == pid);
	buf_init(&out, 100);
	EXPECT_OK(fs_read(AT_FDCWD, "two", &out, &err), err);
	EXPECT_STR(out.data, "to-out\n");
	buf_clear(&out);
	EXPECT_OK(fs_read(AT_FDCWD, "one", &out, &err), err);
	EXPECT_STR(out.data, "to-err\n");
}

TEST(spawn_works_without_standard_descriptors)
{
	struct spawn_options options = options_of(SH("echo fine"));
	CLEANUP(cleanup_fd) int saved = fcntl(1, F_DUPFD_CLOEXEC, 10);
	CLEANUP(cleanup_buf) struct buf out;
	struct error err;
	int status = -1;

	buf_init(&out, 100);
	close(0);
	close(1);
	close(2);
	int result = spawn_wait(&options, &out, &status, &err);

	EXPECT(dup2(saved, 1) == 1);
	EXPECT_OK(result, err);
	EXPECT_INT(status, 0);
	EXPECT_STR(out.data, "fine\n");
}

TEST(spawn_resets_signals)
{
	struct spawn_options options =
		options_of(SH("sed -n '/^Sig[BIC]/s/\t//p' /proc/self/status"));
	sigset_t blocked;

	EXPECT(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	EXPECT(signal(SIGTERM, SIG_IGN) != SIG_ERR);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	EXPECT(sigprocmask(SIG_SETMASK, &blocked, NULL) == 0);
	expect_run(&options,
		   "SigBlk:0000000000000000\nSigIgn:0000000000000000\nSigCgt:0000000000000000\n",
		   0);
	/* And ours are as they were. */
	sigset_t now;

	EXPECT(sigprocmask(SIG_SETMASK, NULL, &now) == 0);
	EXPECT(sigismember(&now, SIGUSR1) == 1);
	EXPECT(sigismember(&now, SIGUSR2) == 0);
}

TEST(spawn_new_group)
{
	struct spawn_options options = options_of(SH("read line"));
	struct error err;
	int ends[2];
	pid_t pid;

	EXPECT(pipe2(ends, O_CLOEXEC) == 0);
	options.stdin_fd = ends[0];
	options.new_group = true;
	EXPECT_OK(spawn(&options, &pid, &err), err);
	EXPECT_INT(getpgid(pid), pid);
	close(ends[1]);
	EXPECT(waitpid(pid, NULL, 0) == pid);
}

TEST(spawn_umask)
{
	struct spawn_options options = options_of(SH("umask"));

	options.umask = 027;
	expect_run(&options, "0027\n", 0);
}

TEST(spawn_as_another_user)
{
	struct spawn_options options =
		options_of(SH("grep -E '^(Uid|Gid|Groups):' /proc/self/status | tr -d '\\t'"));

	if (geteuid() != 0)
		tap_skip("only root can change the user");
	options.uid = 65534;
	options.gid = 65533;
	expect_run(&options, "Uid:65534655346553465534\nGid:65533655336553365533\nGroups:65533 \n",
		   0);
}

/* The one between us and the grandchild dies; the grandchild, of another user, must follow. */
TEST(spawn_death_signal_survives_the_change_of_user)
{
	struct spawn_options options = options_of(SH("read line"));
	struct error err;
	int hold[2];
	int told[2];

	EXPECT(pipe2(hold, O_CLOEXEC) == 0);
	EXPECT(pipe2(told, O_CLOEXEC) == 0);
	EXPECT(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	options.stdin_fd = hold[0];
	options.death_signal = SIGTERM;
	if (geteuid() == 0) {
		options.uid = 65534;
		options.gid = 65534;
	}
	pid_t middle = fork();

	if (middle == 0) {
		pid_t grandchild;

		if (spawn(&options, &grandchild, &err) != 0 ||
		    write(told[1], &grandchild, sizeof(grandchild)) != sizeof(grandchild))
			_exit(1);
		_exit(0);
	}
	pid_t grandchild;
	int status;

	EXPECT(read(told[0], &grandchild, sizeof(grandchild)) == sizeof(grandchild));
	EXPECT(waitpid(middle, &status, 0) == middle);
	EXPECT_INT(status, 0);
	EXPECT(waitpid(grandchild, &status, 0) == grandchild);
	EXPECT(WIFSIGNALED(status));
	EXPECT_INT(WTERMSIG(status), SIGTERM);
}

TEST(spawn_wait_drops_what_is_too_much)
{
	struct spawn_options options =
		options_of(SH("head -c 300000 /dev/zero | tr '\\0' x; exit 5"));
	CLEANUP(cleanup_buf) struct buf out;
	struct error err;
	int status;

	buf_init(&out, 1000);
	EXPECT_OK(spawn_wait(&options, &out, &status, &err), err);
	EXPECT_INT(out.bytes, 1000);
	EXPECT_INT(out.data[999], 'x');
	EXPECT_INT(WEXITSTATUS(status), 5);
}

TEST(spawn_wait_does_not_wait_for_grandchildren)
{
	struct spawn_options options = options_of(SH("sleep 55 & echo started"));
	uint64_t before_ms = clock_boottime_ms();

	expect_run(&options, "started\n", 0);
	EXPECT(clock_boottime_ms() - before_ms < 30000);
}

TEST(spawn_wait_without_output)
{
	struct spawn_options options = options_of(SH("kill -KILL $$"));
	struct error err;
	int status;

	EXPECT_OK(spawn_wait(&options, NULL, &status, &err), err);
	EXPECT(WIFSIGNALED(status));
	EXPECT_INT(WTERMSIG(status), SIGKILL);
}
