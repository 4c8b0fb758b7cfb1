/* The HTTP API: one process that serves docs/api.md from PostgreSQL and the blob store until it is
 * told to end. Keeps no state that it cannot read again: any number of them may run side by side.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct api_options {
	const char *conninfo; /* of the database */
	const char *listen;   /* "127.0.0.1:8000", "[::1]:8000"; port 0: any free one */
	int listen_fd;	      /* a listening socket to use instead, or -1; stays the caller's */
	const char *tls_file; /* PEM: certificate and key; NULL or "": plain HTTP */
	const char *serve;    /* "all", or "workers": the routes that workers need, for workers */
	const char *blob_directory;
	uint64_t connections_max; /* to the database for requests, and threads; 0: 8 */
	/* Told once requests are answered, with the address in use; may be NULL. */
	void (*on_ready)(void *context, const char *address);
	void *context;
};

/* Serves until SIGTERM or SIGINT, then finishes the requests in flight and ends the streams. Blocks
 * these signals in the calling thread, ignores SIGPIPE and raises the limit of open files. */
MUST_CHECK int api_run(const struct api_options *options, struct error *err);
