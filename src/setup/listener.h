/* The listening socket of the HTTP API. `rgrid up` binds it itself and hands it to the API: a port
 * in use is found before anything starts, port 0 is known, and connections wait in the queue while
 * a killed API is restarted. */
#pragma once

#include <stdint.h>

#include "base/error.h"

/* Binds and listens on "host:port". While a grid whose supervisor was killed may still be dying,
 * patience_ms > 0 tries again that long. *ret_url is "http://host:port" as programs on this machine
 * reach it, to be freed. ERR_CONFLICT when the port is in use. */
MUST_CHECK int listener_open(const char *address, uint64_t patience_ms, int *ret_fd, char **ret_url,
			     struct error *err);
