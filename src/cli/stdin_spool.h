/* What is piped or redirected into rgrid, as a blob for the job. Only a pipe, a socket or a regular
 * file counts: a terminal is the user's, /dev/null is nothing. A pipe is read to its end into an
 * unlinked temporary file; when it keeps us waiting, a note says so once. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/hash.h"
#include "cli/terminal.h"

struct stdin_spool {
	int fd; /* -1: nothing to send */
	bool is_own_fd;
	uint64_t size_bytes;
	uint8_t sha256[SHA256_BYTES];
};

MUST_CHECK int stdin_spool_read(struct terminal *terminal, struct stdin_spool *ret,
				struct error *err);
void stdin_spool_release(struct stdin_spool *spool);
#define cleanup_stdin_spool stdin_spool_release
