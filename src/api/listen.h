/* The socket on which the API waits for clients. */
#pragma once

#include <stddef.h>

#include "base/error.h"

#define LISTEN_ADDRESS_BYTES 80

/* "127.0.0.1:8000", "[::1]:8000", "localhost:8000"; port 0 takes any free one. */
MUST_CHECK int listen_on(const char *address, int *ret_fd, struct error *err);
/* A socket that somebody else made to listen: a descriptor of our own for it. */
MUST_CHECK int listen_inherit(int fd, int *ret_fd, struct error *err);
/* The address of a listening socket. */
MUST_CHECK int listen_address(int fd, char ret_address[LISTEN_ADDRESS_BYTES], struct error *err);
