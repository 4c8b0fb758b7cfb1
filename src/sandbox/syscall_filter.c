#include "sandbox/syscall_filter.h"

#include <errno.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/encode.h"

#define PROGRAM_BYTES_MAX (64 * 1024)

/* New namespaces; CLONE_NEWTIME is in the bits of the exit signal and only clone3 and unshare know
 * it. */
#define NAMESPACE_FLAGS                                                                \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | \
	 CLONE_NEWPID | CLONE_NEWNET)

/* Names that an architecture lacks are passed over. Not here, and so refused: everything that
 * mounts, changes namespaces or root, loads code into the kernel, traces or reads other processes,
 * sets the clock, and the interfaces whose history is one of escapes (bpf, io_uring, userfaultfd,
 * keyctl, perf_event_open, open_by_handle_at). */
static const char *const allowed[] = {
	/* files */
	"access",
	"chdir",
	"chmod",
	"chown",
	"close",
	"close_range",
	"copy_file_range",
	"creat",
	"dup",
	"dup2",
	"dup3",
	"faccessat",
	"faccessat2",
	"fadvise64",
	"fallocate",
	"fchdir",
	"fchmod",
	"fchmodat",
	"fchmodat2",
	"fchown",
	"fchownat",
	"fcntl",
	"fdatasync",
	"fgetxattr",
	"flistxattr",
	"flock",
	"fremovexattr",
	"fsetxattr",
	"fstat",
	"fstatfs",
	"fsync",
	"ftruncate",
	"futimesat",
	"getcwd",
	"getdents",
	"getdents64",
	"getxattr",
	"inotify_add_watch",
	"inotify_init",
	"inotify_init1",
	"inotify_rm_watch",
	"ioctl",
	"lchown",
	"lgetxattr",
	"link",
	"linkat",
	"listxattr",
	"llistxattr",
	"lremovexattr",
	"lseek",
	"lsetxattr",
	"lstat",
	"mkdir",
	"mkdirat",
	"mknod",
	"mknodat",
	"newfstatat",
	"open",
	"openat",
	"openat2",
	"pread64",
	"preadv",
	"preadv2",
	"pwrite64",
	"pwritev",
	"pwritev2",
	"read",
	"readahead",
	"readlink",
	"readlinkat",
	"readv",
	"removexattr",
	"rename",
	"renameat",
	"renameat2",
	"rmdir",
	"sendfile",
	"setxattr",
	"splice",
	"stat",
	"statfs",
	"statx",
	"symlink",
	"symlinkat",
	"sync",
	"sync_file_range",
	"syncfs",
	"tee",
	"truncate",
	"umask",
	"unlink",
	"unlinkat",
	"ustat",
	"utime",
	"utimensat",
	"utimes",
	"write",
	"writev",
	/* memory */
	"brk",
	"madvise",
	"membarrier",
	"memfd_create",
	"mincore",
	"mlock",
	"mlock2",
	"mlockall",
	"mmap",
	"mprotect",
	"mremap",
	"msync",
	"munlock",
	"munlockall",
	"munmap",
	"pkey_alloc",
	"pkey_free",
	"pkey_mprotect",
	"remap_file_pages",
	"get_mempolicy",
	"set_mempolicy",
	"mbind",
	"process_madvise",
	"process_mrelease",
	"cachestat",
	"map_shadow_stack",
	/* processes and threads */
	"arch_prctl",
	"capget",
	"capset",
	"execve",
	"execveat",
	"exit",
	"exit_group",
	"fork",
	"futex",
	"futex_waitv",
	"futex_wait",
	"futex_wake",
	"futex_requeue",
	"get_robust_list",
	"get_thread_area",
	"getcpu",
	"getegid",
	"geteuid",
	"getgid",
	"getgroups",
	"getpgid",
	"getpgrp",
	"getpid",
	"getppid",
	"getpriority",
	"getresgid",
	"getresuid",
	"getrlimit",
	"getrusage",
	"getsid",
	"gettid",
	"getuid",
	"ioprio_get",
	"ioprio_set",
	"kill",
	"landlock_add_rule",
	"landlock_create_ruleset",
	"landlock_restrict_self",
	"pidfd_getfd",
	"pidfd_open",
	"pidfd_send_signal",
	"prctl",
	"prlimit64",
	"restart_syscall",
	"rseq",
	"sched_get_priority_max",
	"sched_get_priority_min",
	"sched_getaffinity",
	"sched_getattr",
	"sched_getparam",
	"sched_getscheduler",
	"sched_rr_get_interval",
	"sched_setaffinity",
	"sched_setattr",
	"sched_setparam",
	"sched_setscheduler",
	"sched_yield",
	"seccomp",
	"set_robust_list",
	"set_thread_area",
	"set_tid_address",
	"setfsgid",
	"setfsuid",
	"setgid",
	"setgroups",
	"setpgid",
	"setpriority",
	"setregid",
	"setresgid",
	"setresuid",
	"setreuid",
	"setrlimit",
	"setsid",
	"setuid",
	"sysinfo",
	"tgkill",
	"times",
	"tkill",
	"uname",
	"vfork",
	"wait4",
	"waitid",
	"waitpid",
	"modify_ldt",
	/* signals, time, events */
	"alarm",
	"clock_getres",
	"clock_gettime",
	"clock_nanosleep",
	"epoll_create",
	"epoll_create1",
	"epoll_ctl",
	"epoll_pwait",
	"epoll_pwait2",
	"epoll_wait",
	"eventfd",
	"eventfd2",
	"getitimer",
	"gettimeofday",
	"nanosleep",
	"pause",
	"poll",
	"ppoll",
	"pselect6",
	"rt_sigaction",
	"rt_sigpending",
	"rt_sigprocmask",
	"rt_sigqueueinfo",
	"rt_sigreturn",
	"rt_sigsuspend",
	"rt_sigtimedwait",
	"rt_tgsigqueueinfo",
	"select",
	"setitimer",
	"sigaltstack",
	"signalfd",
	"signalfd4",
	"time",
	"timer_create",
	"timer_delete",
	"timer_getoverrun",
	"timer_gettime",
	"timer_settime",
	"timerfd_create",
	"timerfd_gettime",
	"timerfd_settime",
	/* pipes, sockets, System V and POSIX queues */
	"accept",
	"accept4",
	"bind",
	"connect",
	"getpeername",
	"getsockname",
	"getsockopt",
	"listen",
	"pipe",
	"pipe2",
	"recvfrom",
	"recvmmsg",
	"recvmsg",
	"sendmmsg",
	"sendmsg",
	"sendto",
	"setsockopt",
	"shutdown",
	"socketpair",
	"mq_getsetattr",
	"mq_notify",
	"mq_open",
	"mq_timedreceive",
	"mq_timedsend",
	"mq_unlink",
	"msgctl",
	"msgget",
	"msgrcv",
	"msgsnd",
	"semctl",
	"semget",
	"semop",
	"semtimedop",
	"shmat",
	"shmctl",
	"shmdt",
	"shmget",
	/* the rest */
	"getrandom",
};

/* Families of sockets: local, the internet, and what looks up routes and interfaces. */
static const int socket_families[] = {1 /* AF_UNIX */, 2 /* AF_INET */, 10 /* AF_INET6 */,
				      16 /* AF_NETLINK */};

static int allow_name(scmp_filter_ctx filter, const char *name)
{
	int number = seccomp_syscall_resolve_name(name);
	if (number == __NR_SCMP_ERROR)
		return 0;
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
}

/* Allows it if its first argument, under `mask`, is `value`. (The library's macros for conditions
 * do not pass clang's warnings.) */
static int allow_first_argument(scmp_filter_ctx filter, int number, uint64_t mask, uint64_t value)
{
	const struct scmp_arg_cmp condition = {
		.arg = 0, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};
	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, 1, &condition);
}

static int add_rules(scmp_filter_ctx filter)
{
	int result = 0;
	for (size_t i = 0; i < ARRAY_SIZE(allowed) && result == 0; i++)
		result = allow_name(filter, allowed[i]);
	for (size_t i = 0; i < ARRAY_SIZE(socket_families) && result == 0; i++)
		result = allow_first_argument(filter, SCMP_SYS(socket), UINT32_MAX,
					      (uint64_t)socket_families[i]);
	if (result == 0)
		result = allow_first_argument(filter, SCMP_SYS(clone), NAMESPACE_FLAGS, 0);
	/* Asking is fine; the layout of another personality is not. */
	if (result == 0)
		result =
			allow_first_argument(filter, SCMP_SYS(personality), UINT32_MAX, UINT32_MAX);
	return result;
}

static int export_program(scmp_filter_ctx filter, struct buf *out, struct error *err)
{
	CLEANUP(cleanup_fd) int fd = memfd_create("seccomp", MFD_CLOEXEC);
	if (fd < 0 || seccomp_export_bpf(filter, fd) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return error_set(err, ERR_INTERNAL, "cannot compile the list of system calls");
	char program[PROGRAM_BYTES_MAX / 2];
	ssize_t bytes = read(fd, program, sizeof(program));
	if (bytes <= 0 || bytes == (ssize_t)sizeof(program))
		return error_set(err, ERR_INTERNAL,
				 "the list of system calls has an unexpected size");
	base64_append(out, program, (size_t)bytes);
	return 0;
}

int syscall_filter_compile(struct buf *out, struct error *err)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	if (filter == NULL)
		return error_set(err, ERR_INTERNAL, "cannot start libseccomp");
	int result = add_rules(filter);
	if (result < 0) {
		seccomp_release(filter);
		return error_set_errno(err, ERR_INTERNAL, -result,
				       "cannot build the list of system calls");
	}
	(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE,
			       2); /* a binary tree; linear is right too */
	result = export_program(filter, out, err);
	seccomp_release(filter);
	return result;
}
