/* The servers that an operator allows, in order of preference: types and locations as the provider
 * names them, written "cx23:nbg1, cx23:hel1". Pure. */
#pragma once

#include <stddef.h>

#include "base/error.h"
#include "core/fleet_world.h"

struct server_choice {
	char server_type[FLEET_NAME_BYTES];
	char location[FLEET_NAME_BYTES];
};

/* At most `max` are written to `choices`. ERR_INVALID names what is none; then nothing is told. */
MUST_CHECK int server_choices_parse(const char *text, struct server_choice *choices, size_t max,
				    size_t *ret_count, struct error *err);
