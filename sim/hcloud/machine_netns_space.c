#include "hcloud/machine_netns_space.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/fs.h"
#include "base/spawn.h"

#define SAID_BYTES_MAX 4096
#define LISTEN_BACKLOG 64

static int run_ip(const char *const *argv, int stdin_fd, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf said;
	const struct spawn_options options = {
		.argv = argv, .stdin_fd = stdin_fd, .stdout_fd = -1, .stderr_fd = -1};
	int status;

	buf_init(&said, SAID_BYTES_MAX);
	if (spawn_wait(&options, &said, &status, err) != 0)
		return -1;
	if (status != 0)
		return error_set(err, ERR_INTERNAL, "ip fails: %s", said.data);
	return 0;
}

int space_ip(const char *name, const struct buf *lines, struct error *err)
{
	const char *const argv[] = {"ip", "-n", name, "-batch", "-", NULL};
	int pipe_fds[2];

	CHECK(!lines->overflowed);
	if (pipe2(pipe_fds, O_CLOEXEC) != 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot run ip");
	CLEANUP(cleanup_fd) int read_fd = pipe_fds[0];
	CLEANUP(cleanup_fd) int write_fd = pipe_fds[1];

	/* A pipe takes 64 KiB, and a batch is a few lines. */
	CHECK(lines->bytes < 32768);
	if (fs_write_all(write_fd, lines->data, lines->bytes, err) != 0)
		return -1;
	(void)close(TAKE_FD(write_fd));
	if (run_ip(argv, read_fd, err) != 0)
		return error_wrap(err, "in network namespace %s", name);
	return 0;
}

void space_ip_try(const char *name, const char *format, ...)
{
	CLEANUP(cleanup_buf) struct buf lines;
	struct error err;
	char line[256];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	buf_init(&lines, sizeof(line));
	buf_append_str(&lines, line);
	(void)!space_ip(name, &lines, &err); /* see the header */
}

/* Steps of this process into the namespace and back; nothing but system calls stand between. */
struct visit {
	int home_fd;
};

static int visit_begin(const char *name, struct visit *ret, struct error *err)
{
	char path[sizeof(SPACE_DIRECTORY) + 1 + SPACE_NAME_BYTES];

	(void)snprintf(path, sizeof(path), SPACE_DIRECTORY "/%s", name);
	CLEANUP(cleanup_fd) int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	CLEANUP(cleanup_fd) int there = open(path, O_RDONLY | O_CLOEXEC);

	if (home < 0 || there < 0 || setns(there, CLONE_NEWNET) != 0)
		return error_set_errno(err, ERR_INTERNAL, errno,
				       "cannot enter network namespace %s", name);
	ret->home_fd = TAKE_FD(home);
	return 0;
}

static void visit_end(struct visit *visit)
{
	/* Going on in the wrong namespace could only do harm. */
	CHECK(setns(visit->home_fd, CLONE_NEWNET) == 0);
	(void)close(visit->home_fd);
}

/* A new namespace may have inherited the host's settings. Routers drop what comes from an address
 * that they would not answer through the same interface: nobody can use another's. */
static int set_up_routing(const char *name, bool is_router, struct error *err)
{
	static const char *const router[][2] = {
		{"conf/all/rp_filter", "1"},	  {"conf/default/rp_filter", "1"},
		{"conf/all/send_redirects", "0"}, {"conf/default/send_redirects", "0"},
		{"conf/all/arp_announce", "2"},	  {"ip_forward", "1"},
	};
	static const char *const machine[][2] = {
		{"conf/all/rp_filter", "0"},
		{"conf/default/rp_filter", "0"},
		{"ip_forward", "0"},
	};
	size_t count = is_router ? ARRAY_SIZE(router) : ARRAY_SIZE(machine);
	struct visit visit;
	int errnum = 0;

	if (visit_begin(name, &visit, err) != 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		const char *const *setting = is_router ? router[i] : machine[i];
		char path[128];

		(void)snprintf(path, sizeof(path), "/proc/sys/net/ipv4/%s", setting[0]);
		CLEANUP(cleanup_fd) int fd = open(path, O_WRONLY | O_CLOEXEC);

		if (fd < 0 || write(fd, setting[1], 1) != 1)
			errnum = errno;
	}
	visit_end(&visit);
	if (errnum != 0)
		return error_set_errno(err, ERR_INTERNAL, errnum, "cannot set up routing in %s",
				       name);
	return 0;
}

int space_new(const char *name, bool is_router, struct error *err)
{
	const char *const argv[] = {"ip", "netns", "add", name, NULL};
	CLEANUP(cleanup_buf) struct buf lines;

	buf_init(&lines, 256);
	buf_append_str(&lines, "link set lo up\n");
	if (run_ip(argv, -1, err) != 0)
		return error_wrap(err, "cannot make network namespace %s", name);
	if (set_up_routing(name, is_router, err) == 0 && space_ip(name, &lines, err) == 0)
		return 0;
	space_remove(name);
	return -1;
}

void space_remove(const char *name)
{
	const char *const argv[] = {"ip", "netns", "delete", name, NULL};
	struct error err;

	(void)!run_ip(argv, -1, &err); /* see the header */
}

static int listen_here(const char *device, const struct sockaddr_in *address, int *ret_errnum)
{
	const int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device)) == 0 &&
	    bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 &&
	    listen(fd, LISTEN_BACKLOG) == 0)
		return fd;
	*ret_errnum = errno;
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

int space_listen(const char *name, const char *device, const char *address, uint16_t port,
		 int *ret_fd, struct error *err)
{
	struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct visit visit;
	int errnum = 0;

	CHECK(inet_pton(AF_INET, address, &where.sin_addr) == 1);
	if (visit_begin(name, &visit, err) != 0)
		return -1;
	int fd = listen_here(device, &where, &errnum);

	visit_end(&visit);
	if (fd < 0)
		return error_set_errno(err, ERR_INTERNAL, errnum,
				       "cannot listen at %s on %s in network namespace %s", address,
				       device, name);
	*ret_fd = fd;
	return 0;
}
