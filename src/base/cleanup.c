#include "base/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"

void cleanup_free(void *pointer_to_pointer)
{
	void *pointer;

	/* Read by bytes: the variable may be a pointer of any type. */
	memcpy(&pointer, pointer_to_pointer, sizeof(pointer));
	free(pointer);
}

void cleanup_fd(const int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd); /* nothing is left to do about a failure here */
	errno = saved;
}

void cleanup_file(FILE **file)
{
	int saved = errno;

	if (*file != NULL)
		(void)fclose(*file); /* those who care about the data flush before */
	errno = saved;
}

void cleanup_dir(void *pointer_to_dir)
{
	int saved = errno;
	DIR *dir;

	memcpy(&dir, pointer_to_dir, sizeof(void *));
	if (dir != NULL)
		(void)closedir(dir);
	errno = saved;
}

void *xcalloc(size_t count, size_t size)
{
	void *pointer = calloc(count > 0 ? count : 1, size > 0 ? size : 1);

	CHECK(pointer != NULL);
	return pointer;
}

void *xreallocarray(void *pointer, size_t count, size_t size)
{
	void *grown = reallocarray(pointer, count > 0 ? count : 1, size > 0 ? size : 1);

	CHECK(grown != NULL);
	return grown;
}

char *xstrdup(const char *text)
{
	char *copy = strdup(text);

	CHECK(copy != NULL);
	return copy;
}

char *xstrndup(const char *text, size_t bytes_max)
{
	char *copy = strndup(text, bytes_max);

	CHECK(copy != NULL);
	return copy;
}

char *xasprintf(const char *format, ...)
{
	va_list arguments;
	char *text = NULL;

	va_start(arguments, format);
	int bytes = vasprintf(&text, format, arguments);
	va_end(arguments);
	CHECK(bytes >= 0);
	return text;
}
