/* struct buf: bytes that grow, always NUL-terminated, never beyond a maximum fixed at init.
 * An un-grown buf owns nothing and needs no release. Overflow of the maximum is remembered in
 * `overflowed` and the append dropped, so that callers may build first and check once.
 * Lifecycle: buf_init … buf_release; buf_detach hands the memory over. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

struct buf {
	char *data;   /* never NULL; "" while empty */
	size_t bytes; /* without the terminating NUL */
	size_t capacity;
	size_t bytes_max;
	bool overflowed;
};

void buf_init(struct buf *buf, size_t bytes_max);
void buf_release(struct buf *buf); /* frees, and leaves an empty buf */
void buf_clear(struct buf *buf);   /* empties, keeps the memory */
#define cleanup_buf buf_release

void buf_append(struct buf *buf, const void *data, size_t bytes);
void buf_append_str(struct buf *buf, const char *text);
void buf_append_char(struct buf *buf, char c);
PRINTF_FORMAT(2, 3) void buf_appendf(struct buf *buf, const char *format, ...);
/* Room for `bytes` more at the end; returns where to write, or NULL when over the maximum.
 * Follow with buf_commit(buf, bytes really written). */
char *buf_reserve(struct buf *buf, size_t bytes);
void buf_commit(struct buf *buf, size_t bytes);
/* Drops the first `bytes`. */
void buf_consume(struct buf *buf, size_t bytes);
/* The memory, to be freed by the caller; the buf is empty afterwards. */
char *buf_detach(struct buf *buf);
