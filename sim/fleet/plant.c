#include "fleet/plant.h"

#include <string.h>

#include "base/check.h"

static const char *const names[] = {
#define X(NAME, name, INVARIANT, meaning) [PLANT_##NAME] = (name),
#include "fleet/plants.def"
#undef X
};

static const enum invariant broken[] = {
#define X(NAME, name, INVARIANT, meaning) [PLANT_##NAME] = INVARIANT_##INVARIANT,
#include "fleet/plants.def"
#undef X
};

const char *plant_name(enum plant plant)
{
	CHECK(plant > PLANT_NONE && plant < PLANT_MAX);
	return names[plant];
}

enum plant plant_parse(const char *name)
{
	for (enum plant plant = PLANT_NONE + 1; plant < PLANT_MAX; plant++) {
		if (strcmp(names[plant], name) == 0)
			return plant;
	}
	return PLANT_NONE;
}

enum invariant plant_breaks(enum plant plant)
{
	CHECK(plant > PLANT_NONE && plant < PLANT_MAX);
	return broken[plant];
}
