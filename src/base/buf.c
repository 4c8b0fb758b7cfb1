#include "base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/error.h"

#define BUF_FIRST_CAPACITY 64

/* What `data` points at while nothing is allocated (capacity 0). Never written. */
static char empty[1];

void buf_init(struct buf *buf, size_t bytes_max)
{
	CHECK(bytes_max < SIZE_MAX / 2); /* so that sizes can be doubled and a NUL added */
	*buf = (struct buf){.data = empty, .bytes_max = bytes_max};
}

void buf_release(struct buf *buf)
{
	if (buf->capacity > 0)
		free(buf->data);
	buf_init(buf, buf->bytes_max);
}

void buf_clear(struct buf *buf)
{
	buf->bytes = 0;
	buf->overflowed = false;
	if (buf->capacity > 0)
		buf->data[0] = '\0';
}

char *buf_reserve(struct buf *buf, size_t bytes)
{
	CHECK(buf->data != NULL);
	if (buf->overflowed || bytes > buf->bytes_max - buf->bytes) {
		buf->overflowed = true;
		return NULL;
	}
	size_t needed = buf->bytes + bytes + 1;

	if (needed > buf->capacity) {
		size_t capacity = buf->capacity > 0 ? buf->capacity : BUF_FIRST_CAPACITY;

		while (capacity < needed)
			capacity *= 2;
		if (capacity > buf->bytes_max + 1)
			capacity = buf->bytes_max + 1;
		buf->data = xreallocarray(buf->capacity > 0 ? buf->data : NULL, capacity, 1);
		buf->capacity = capacity;
		buf->data[buf->bytes] = '\0';
	}
	return buf->data + buf->bytes;
}

void buf_commit(struct buf *buf, size_t bytes)
{
	if (bytes == 0)
		return;
	CHECK(buf->capacity > 0);
	CHECK(bytes < buf->capacity - buf->bytes);
	buf->bytes += bytes;
	buf->data[buf->bytes] = '\0';
}

void buf_append(struct buf *buf, const void *data, size_t bytes)
{
	if (bytes == 0)
		return;
	char *to = buf_reserve(buf, bytes);

	if (to == NULL)
		return;
	memcpy(to, data, bytes);
	buf_commit(buf, bytes);
}

void buf_append_str(struct buf *buf, const char *text)
{
	buf_append(buf, text, strlen(text));
}

void buf_append_char(struct buf *buf, char c)
{
	buf_append(buf, &c, 1);
}

void buf_appendf(struct buf *buf, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	int wanted = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	CHECK(wanted >= 0);

	char *to = buf_reserve(buf, (size_t)wanted);

	if (to == NULL)
		return;
	va_start(arguments, format);
	int written = vsnprintf(to, (size_t)wanted + 1, format, arguments);
	va_end(arguments);
	CHECK(written == wanted);
	buf_commit(buf, (size_t)written);
}

void buf_consume(struct buf *buf, size_t bytes)
{
	CHECK(bytes <= buf->bytes);
	if (bytes == 0)
		return;
	memmove(buf->data, buf->data + bytes, buf->bytes - bytes);
	buf->bytes -= bytes;
	buf->data[buf->bytes] = '\0';
}

char *buf_detach(struct buf *buf)
{
	char *data = buf->capacity > 0 ? buf->data : xstrdup("");

	buf_init(buf, buf->bytes_max);
	return data;
}
