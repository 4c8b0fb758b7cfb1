/* From a request to its answer: path, then who asks, then how often, then the method, then the
 * handler; and what faults make of it. No HTTP library in here. */
#pragma once

#include "hcloud/call.h"

/* Fills status, reply and the rest of the answer. */
void serve(struct call *call);
/* The body of the answer as text, to be freed; NULL for none. */
char *serve_body_text(const struct call *call);
