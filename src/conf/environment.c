#include "conf/environment.h"

#include <unistd.h>

#include "base/check.h"
#include "base/str.h"

void environment_make(const char *const *added, struct environment *ret)
{
	size_t count = 0;
	for (; added[count] != NULL; count++) {
		CHECK(count < ENVIRONMENT_ENTRIES_MAX);
		ret->entries[count] = added[count];
	}
	for (char **entry = environ; *entry != NULL && count < ENVIRONMENT_ENTRIES_MAX; entry++) {
		if (!str_has_prefix(*entry, "RGRID_"))
			ret->entries[count++] = *entry;
	}
	ret->entries[count] = NULL;
}
