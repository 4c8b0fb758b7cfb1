/* Names in a setting, with commas between them: "alice, bob's laptop". Blanks around a name are no
 * part of it, those inside are. Pure. */
#pragma once

#include <stddef.h>

#include "base/error.h"

#define NAME_LIST_MAX	100
#define NAME_LIST_BYTES 128 /* of one, with its NUL */

struct name_list {
	char names[NAME_LIST_MAX][NAME_LIST_BYTES];
	size_t count;
};

/* ERR_INVALID: too many, or one that is too long. */
MUST_CHECK int name_list_parse(const char *text, struct name_list *ret, struct error *err);
