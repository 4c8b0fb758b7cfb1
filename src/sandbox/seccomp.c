#include "sandbox/seccomp.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fs.h"

/* Every flag by which clone makes a namespace (CLONE_NEWTIME lies in its signal number). */
#define CLONE_NAMESPACES                                                                           \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
	 CLONE_NEWPID | CLONE_NEWNET)
#define FAMILY_LAST 64

static void cleanup_filter(scmp_filter_ctx *filter)
{
	if (*filter != NULL)
		seccomp_release(*filter);
}

static int add_simple(scmp_filter_ctx filter)
{
	static const struct {
		const char *name;
		bool allowed;
	} calls[] = {
#define ALLOW(call) {#call, true},
#define DENY(call)  {#call, false},
#include "sandbox/seccomp_calls.def"
#undef ALLOW
#undef DENY
	};
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		int call = seccomp_syscall_resolve_name(calls[i].name);
		uint32_t action = calls[i].allowed ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM);
		if (call < 0)
			continue; /* unknown here, so it gets the default */
		if (seccomp_rule_add(filter, action, call, 0) < 0)
			return -1;
	}
	return 0;
}

/* Threads and processes, but no namespaces. clone3 hides its flags in memory: libraries fall back
 * to clone when it does not exist. */
static int add_clone(scmp_filter_ctx filter)
{
	int clone3_call = seccomp_syscall_resolve_name("clone3");
	struct scmp_arg_cmp plain = SCMP_A0_64(SCMP_CMP_MASKED_EQ, (scmp_datum_t)CLONE_NAMESPACES, 0);
	if (seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, &plain) < 0)
		return -1;
	for (unsigned bit = 0; bit < 32; bit++) {
		scmp_datum_t flag = (scmp_datum_t)1 << bit;
		struct scmp_arg_cmp one = SCMP_A0_64(SCMP_CMP_MASKED_EQ, flag, flag);
		if (((scmp_datum_t)CLONE_NAMESPACES & flag) != 0 &&
		    seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
					   &one) < 0)
			return -1;
	}
	return clone3_call < 0 ? 0
			       : seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), clone3_call, 0);
}

/* Local and internet sockets, and netlink, by which libraries list interfaces. The rest of the
 * kernel's protocols is attack surface. */
static int add_socket(scmp_filter_ctx filter)
{
	for (scmp_datum_t family = 0; family <= FAMILY_LAST; family++) {
		bool allowed = family == AF_UNIX || family == AF_INET || family == AF_INET6 ||
			       family == AF_NETLINK;
		struct scmp_arg_cmp is_it = SCMP_A0_64(SCMP_CMP_EQ, family, 0);
		if (seccomp_rule_add_array(
			    filter, allowed ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EAFNOSUPPORT),
			    SCMP_SYS(socket), 1, &is_it) < 0)
			return -1;
	}
	return 0;
}

/* The harmless personalities: Linux, 32-bit addresses' emulation of uname, and the question. */
static int add_personality(scmp_filter_ctx filter)
{
	static const scmp_datum_t allowed[] = {PER_LINUX, PER_LINUX32, 0x0020000 /* UNAME26 */,
					       0x0020008, 0xffffffff};
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++) {
		struct scmp_arg_cmp is_it = SCMP_A0_64(SCMP_CMP_EQ, allowed[i], 0);
		if (seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(personality), 1,
					   &is_it) < 0)
			return -1;
	}
	return 0;
}

/* Before the library's program: an allow-list of ioctl minus two requests is beyond its rules, and a
 * comparison of all 64 bits could be dodged, as the kernel looks at 32. Typing into a terminal on
 * behalf of its user is refused. */
static void append_terminal_guard(struct buf *program)
{
	static const struct sock_filter guard[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 4),
		/* The low half of the request, on the little-endian machines that we run on. */
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TIOCSTI, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TIOCLINUX, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	};
	_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the guard reads the low half");
	buf_append(program, guard, sizeof(guard));
}

static int export(scmp_filter_ctx filter, struct buf *program, struct error *err)
{
	CLEANUP(cleanup_fd) int fd = memfd_create("rgrid-seccomp", MFD_CLOEXEC);
	if (fd < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot make a memory file");
	int result = seccomp_export_bpf(filter, fd);
	if (result < 0)
		return error_set_errno(err, ERR_INTERNAL, -result,
				       "cannot compile the system call filter");
	if (lseek(fd, 0, SEEK_SET) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot rewind a memory file");
	CLEANUP(cleanup_free) char *path = xasprintf("/proc/self/fd/%d", fd);
	return fs_read(AT_FDCWD, path, program, err);
}

int seccomp_compile(struct buf *program, struct error *err)
{
	CLEANUP(cleanup_filter) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	if (filter == NULL || seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH,
					       SCMP_ACT_KILL_PROCESS) < 0 ||
	    seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2) < 0 || add_simple(filter) < 0 ||
	    add_clone(filter) < 0 || add_socket(filter) < 0 || add_personality(filter) < 0)
		return error_set(err, ERR_INTERNAL, "cannot build the system call filter");
	append_terminal_guard(program);
	return export(filter, program, err);
}
