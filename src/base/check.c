#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

void check_failed(const char *condition, const char *file, int line, const char *function)
{
	(void)fprintf(stderr, "bug: %s:%d: %s: check failed: %s\n", file, line, function,
		      condition);
	(void)fflush(stderr);
	abort();
}
