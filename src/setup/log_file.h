/* A log of bounded size: at bytes_max it is renamed to "<path>.1" (replacing the one before) and
 * begun anew. Bytes are written as they come. Failures to write (disk full) are swallowed: a log
 * must never stop what it logs. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct log_file {
	char *path;
	int fd;
	uint64_t bytes;
	uint64_t bytes_max;
};

/* Opens for appending, 0600. */
MUST_CHECK int log_file_open(const char *path, uint64_t bytes_max, struct log_file *ret,
			     struct error *err);
void log_file_write(struct log_file *log, const void *data, size_t bytes);
void log_file_release(struct log_file *log);
#define cleanup_log_file log_file_release
