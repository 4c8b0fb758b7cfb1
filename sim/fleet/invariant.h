/* What must be true throughout a run; 0: none of them. */
#pragma once

enum invariant {
	INVARIANT_NONE = 0,
#define X(NAME, name, meaning) INVARIANT_##NAME,
#include "fleet/invariants.def"
#undef X
	INVARIANT_MAX
};
const char *invariant_name(enum invariant invariant);
