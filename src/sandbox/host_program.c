#include "sandbox/host_program.h"

#include <stddef.h>
#include <unistd.h>

#include "base/error.h"

char *host_program_find(const char *name)
{
	static const char *const directories[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
						  "/usr/bin",        "/sbin",          "/bin"};
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		CLEANUP(cleanup_free) char *path = xasprintf("%s/%s", directories[i], name);
		if (access(path, X_OK) == 0)
			return TAKE_PTR(path);
	}
	return NULL;
}
