#include "fleet/invariant.h"

#include "base/check.h"

static const char *const names[] = {
#define X(NAME, name, meaning) [INVARIANT_##NAME] = (name),
#include "fleet/invariants.def"
#undef X
};

const char *invariant_name(enum invariant invariant)
{
	CHECK(invariant > INVARIANT_NONE && invariant < INVARIANT_MAX);
	return names[invariant];
}
