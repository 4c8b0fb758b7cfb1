/* What users are told, once, when their project nears its monthly limit or has reached it. */
#pragma once

#include <stdbool.h>

#include "base/json.h"
#include "cli/terminal.h"

struct spending {
	bool warned;
	bool said_held;
};

/* `answer`: a job or a batch of the server, with "limit_status". `id`: what would wait. */
void spending_note(struct spending *spending, struct terminal *terminal, const json_t *answer,
		   const char *id);
/* That `id` waits for the limit. */
void spending_held(struct spending *spending, struct terminal *terminal, const char *id);
