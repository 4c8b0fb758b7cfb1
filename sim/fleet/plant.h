/* Bugs to be planted; 0: none. */
#pragma once

#include "fleet/invariant.h"

enum plant {
	PLANT_NONE = 0,
#define X(NAME, name, INVARIANT, meaning) PLANT_##NAME,
#include "fleet/plants.def"
#undef X
	PLANT_MAX
};
const char *plant_name(enum plant plant);
/* PLANT_NONE for an unknown name. */
enum plant plant_parse(const char *name);
/* The one that it breaks. */
enum invariant plant_breaks(enum plant plant);
