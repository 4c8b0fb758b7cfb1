/* Scope-bound release: `CLEANUP(cleanup_free) char *path = NULL;` frees at every way out.
 * Hand ownership over with TAKE_PTR / TAKE_FD. Each noun ships its own `cleanup_<noun>` beside
 * its `<noun>_free`. Every cleanup function accepts the empty value (NULL, -1). */
#pragma once

#include <stdio.h>

#define CLEANUP(function) __attribute__((cleanup(function)))
#define MUST_CHECK	  __attribute__((warn_unused_result))
#define PRINTF_FORMAT(format_index, first_argument) \
	__attribute__((format(printf, format_index, first_argument)))

#define TAKE_PTR(pointer)                               \
	__extension__({                                 \
		__typeof__(pointer) taken_ = (pointer); \
		(pointer) = NULL;                       \
		taken_;                                 \
	})
#define TAKE_FD(descriptor)                \
	__extension__({                    \
		int taken_ = (descriptor); \
		(descriptor) = -1;         \
		taken_;                    \
	})

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

void cleanup_free(void *pointer_to_pointer);
void cleanup_fd(const int *fd);		/* close, errno kept */
void cleanup_file(FILE **file);		/* fclose */
void cleanup_dir(void *pointer_to_dir); /* closedir on a DIR ** */

/* Allocation that cannot fail: out of memory aborts (the supervisor restarts us, leases expire).
 * Sizes are checked for overflow. Release with free(). */
void *xcalloc(size_t count, size_t size);
void *xreallocarray(void *pointer, size_t count, size_t size);
char *xstrdup(const char *text);
char *xstrndup(const char *text, size_t bytes_max);
PRINTF_FORMAT(1, 2) char *xasprintf(const char *format, ...);
