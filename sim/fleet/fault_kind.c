#include "fleet/fault_kind.h"

#include <stddef.h>

#include "base/check.h"

static const char *const names[] = {
#define X(NAME, name, meaning) [FAULT_##NAME] = (name),
#include "fleet/fault_kinds.def"
#undef X
};

const char *fault_kind_name(enum fault_kind kind)
{
	CHECK(kind > FAULT_NONE && kind < FAULT_KIND_MAX);
	return names[kind];
}

void fault_struck(struct fault_counts *counts, enum fault_kind kind)
{
	if (counts != NULL)
		counts->of[kind]++;
}
