#include "api/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"

#define BACKLOG 1024

/* "[::1]:80" → "::1", "80". The text is cut up. */
static int split(char *text, const char **ret_host, const char **ret_port, struct error *err)
{
	char *colon = strrchr(text, ':');
	char *end;

	if (colon == NULL || colon == text || colon[1] == '\0') {
		error_set(err, ERR_INVALID, "\"%s\" is not of the form ADDRESS:PORT", text);
		return error_hint(err, "for example 127.0.0.1:8000");
	}
	*colon = '\0';
	*ret_host = text;
	*ret_port = colon + 1;
	end = colon - 1;
	if (*text == '[' && *end == ']') {
		*end = '\0';
		*ret_host = text + 1;
	}
	return 0;
}

static int open_socket(const struct addrinfo *at, const char *address, int *ret_fd,
		       struct error *err)
{
	CLEANUP(cleanup_fd)
	int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int yes = 1;

	if (fd < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot make a socket");
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(fd, at->ai_addr, at->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
		int errnum = errno;

		error_set_errno(err, ERR_UNAVAILABLE, errnum, "cannot listen on %s", address);
		return errnum == EADDRINUSE
			       ? error_hint(err, "another program uses that port; choose another "
						 "one, or 0 for any")
			       : -1;
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int listen_on(const char *address, int *ret_fd, struct error *err)
{
	CLEANUP(cleanup_free) char *text = xstrdup(address);
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct addrinfo *found = NULL;
	const char *host;
	const char *port;
	uint64_t number;

	if (split(text, &host, &port, err) < 0 || parse_u64(port, 0, UINT16_MAX, &number, err) < 0)
		return error_wrap(err, "cannot listen on %s", address);
	int problem = getaddrinfo(host, port, &hints, &found);
	if (problem != 0)
		return error_set(err, ERR_INVALID, "cannot listen on %s: %s", address,
				 gai_strerror(problem));
	int result = open_socket(found, address, ret_fd, err);
	freeaddrinfo(found);
	return result;
}

int listen_inherit(int fd, int *ret_fd, struct error *err)
{
	/* A copy, so that the original (standard input, say) keeps its number's meaning. */
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

	if (copy < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "no socket was handed over");
	*ret_fd = copy;
	/* Several threads accept from it: who comes too late must not wait. */
	return fs_set_nonblocking(copy, err);
}

int listen_address(int fd, char ret_address[LISTEN_ADDRESS_BYTES], struct error *err)
{
	struct sockaddr_storage bound = {0};
	socklen_t bytes = sizeof(bound);
	char host[INET6_ADDRSTRLEN + 1];
	char port[8];

	if (getsockname(fd, (struct sockaddr *)&bound, &bytes) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "not a listening socket");
	if (getnameinfo((const struct sockaddr *)&bound, bytes, host, sizeof(host), port,
			sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return error_set(err, ERR_INTERNAL, "not a socket of TCP");
	(void)snprintf(ret_address, LISTEN_ADDRESS_BYTES,
		       bound.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
	return 0;
}
