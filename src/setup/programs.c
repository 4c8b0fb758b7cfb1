#include "setup/programs.h"

#include <stdlib.h>
#include <unistd.h>

static bool is_in_path(const char *program)
{
	const char *path = getenv("PATH");
	CLEANUP(cleanup_free) char *copy = xstrdup(path != NULL ? path : "/usr/bin:/bin");
	char *rest = copy;
	char *directory;
	while ((directory = strsep(&rest, ":")) != NULL) {
		CLEANUP(cleanup_free) char *candidate = xasprintf("%s/%s", directory, program);
		if (access(candidate, X_OK) == 0)
			return true;
	}
	return false;
}

int programs_check(struct error *err)
{
	if (is_in_path("crun"))
		return 0;
	(void)error_set(err, ERR_NOT_FOUND, "crun, which runs the scripts, is not installed");
	return error_hint(err, "apt-get install crun");
}
