/* What can go wrong in a simulated run, and how often it did. */
#pragma once

#include <stdint.h>

enum fault_kind {
	FAULT_NONE = 0,
#define X(NAME, name, meaning) FAULT_##NAME,
#include "fleet/fault_kinds.def"
#undef X
	FAULT_KIND_MAX
};
const char *fault_kind_name(enum fault_kind kind);

struct fault_counts {
	uint64_t of[FAULT_KIND_MAX];
};
/* counts may be NULL: nobody counts. */
void fault_struck(struct fault_counts *counts, enum fault_kind kind);
