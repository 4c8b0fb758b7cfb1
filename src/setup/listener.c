#include "setup/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "conf/conf.h"

#define BACKLOG	      1024
#define RETRY_MS      50
#define PORT_TEXT_MAX 8

static int resolve(const char *host, uint16_t port, struct addrinfo **ret, struct error *err)
{
	char service[PORT_TEXT_MAX];
	(void)snprintf(service, sizeof(service), "%u", (unsigned)port);
	struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
				 .ai_socktype = SOCK_STREAM};
	int code = getaddrinfo(host, service, &hints, ret);
	if (code == 0)
		return 0;
	(void)error_set(err, ERR_INVALID, "cannot listen on \"%s\": %s", host, gai_strerror(code));
	return error_hint(err,
			  "--listen takes an address of this machine and a port: 127.0.0.1:8000");
}

/* 0, or the errno that it failed with. */
static int try_bind(const struct addrinfo *where, int *ret_fd)
{
	CLEANUP(cleanup_fd)
	int fd = socket(where->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1;
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, where->ai_addr, where->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
		return errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int say_why(const char *address, int errnum, struct error *err)
{
	if (errnum == EADDRINUSE) {
		(void)error_set(err, ERR_CONFLICT, "%s is in use by another program", address);
		return error_hint(err,
				  "stop that program, or choose another port: --listen 127.0.0.1:0 "
				  "takes any free one");
	}
	(void)error_set_errno(err, ERR_INVALID, errnum, "cannot listen on %s", address);
	if (errnum == EACCES)
		return error_hint(err, "ports below 1024 need root; choose another with --listen");
	if (errnum == EADDRNOTAVAIL)
		return error_hint(err,
				  "this machine has no such address; choose another with --listen");
	return -1;
}

/* Listening everywhere, it is reached on the loopback. */
static const char *reachable(const char *host)
{
	if (str_eq(host, "0.0.0.0"))
		return "127.0.0.1";
	return str_eq(host, "::") ? "::1" : host;
}

static int find_url(int fd, const char *host, char **ret, struct error *err)
{
	struct sockaddr_storage address;
	socklen_t bytes = sizeof(address);
	char service[PORT_TEXT_MAX];
	if (getsockname(fd, (struct sockaddr *)&address, &bytes) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno,
				       "cannot read the socket's address");
	int code = getnameinfo((struct sockaddr *)&address, bytes, NULL, 0, service,
			       sizeof(service), NI_NUMERICSERV);
	if (code != 0)
		return error_set(err, ERR_INTERNAL, "cannot read the port: %s", gai_strerror(code));
	const char *name = reachable(host);
	*ret = strchr(name, ':') != NULL ? xasprintf("http://[%s]:%s", name, service)
					 : xasprintf("http://%s:%s", name, service);
	return 0;
}

int listener_open(const char *address, uint64_t patience_ms, int *ret_fd, char **ret_url,
		  struct error *err)
{
	CLEANUP(cleanup_free) char *host = NULL;
	uint16_t port = 0;
	struct addrinfo *where = NULL;
	if (conf_address_split(address, &host, &port, err) < 0 ||
	    resolve(host, port, &where, err) < 0)
		return -1;
	uint64_t deadline_ms = clock_boottime_ms() + patience_ms;
	CLEANUP(cleanup_fd) int fd = -1;
	int errnum = try_bind(where, &fd);
	while (errnum == EADDRINUSE && clock_boottime_ms() < deadline_ms) {
		(void)poll(NULL, 0, RETRY_MS);
		errnum = try_bind(where, &fd);
	}
	freeaddrinfo(where);
	if (errnum != 0)
		return say_why(address, errnum, err);
	if (find_url(fd, host, ret_url, err) < 0)
		return -1;
	*ret_fd = TAKE_FD(fd);
	return 0;
}
