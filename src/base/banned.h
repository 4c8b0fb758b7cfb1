/* Functions that have a safe counterpart here. Included by every .c file through base/error.h,
 * so that use is a compile error. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* strcpy strcat strncpy sprintf vsprintf: struct buf or snprintf. atoi atol strtok: base/str.h.
 * gets system popen alloca: never. localtime gmtime: base/clock.h. */
/* Macros under _FORTIFY_SOURCE with clang. */
#undef sprintf
#undef vsprintf
#pragma GCC poison strcpy strcat strncat sprintf vsprintf strtok atoi atol atoll atof
#pragma GCC poison gets system popen localtime gmtime ctime asctime tmpnam mktemp
