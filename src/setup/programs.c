#include "setup/programs.h"

#include <limits.h>

#include "base/spawn.h"

int programs_check(struct error *err)
{
	char path[PATH_MAX];

	if (spawn_find("crun", path, err) == 0)
		return 0;
	(void)error_set(err, ERR_NOT_FOUND, "crun, which runs the scripts, is not installed");
	return error_hint(err, "apt-get install crun");
}
