/* Network namespaces, by their names below /run/netns, so that tests may join them with nsenter.
 * Everything that connects the simulated machines lives in namespaces made here; the host's own
 * addresses, routes and firewall are never touched.
 *
 * These calls block for as long as ip(8) takes, a few milliseconds. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

#define SPACE_NAME_BYTES 64
#define SPACE_DIRECTORY	 "/run/netns"

/* Makes it, with the loopback up, ready to route for others or never to. */
MUST_CHECK int space_new(const char *name, bool is_router, struct error *err);
/* Absent is fine. Its interfaces should be deleted before: the kernel removes them with delay. */
void space_remove(const char *name);

/* Runs lines of ip(8), all or (on an error) those before the faulty one. */
MUST_CHECK int space_ip(const char *name, const struct buf *lines, struct error *err);
/* One such line, whose failure does not matter: what is to be removed may be gone. */
PRINTF_FORMAT(2, 3) void space_ip_try(const char *name, const char *format, ...);

/* A listening TCP socket in the namespace, for connections that arrive through `device` alone. */
MUST_CHECK int space_listen(const char *name, const char *device, const char *address,
			    uint16_t port, int *ret_fd, struct error *err);
