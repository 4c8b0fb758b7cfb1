/* The state on disk, if asked for: one JSON file, replaced as a whole before an answer that depends
 * on it goes out, so that a killed simulator comes back with all that it has promised. Tokens,
 * faults and settings are the command line's. */
#pragma once

#include "base/error.h"
#include "hcloud/sim.h"

/* Reads sim->state_path; an absent file is an empty state. */
MUST_CHECK int state_file_load(struct sim *sim, struct error *err);
/* Writes it, unless there is no path. A failure is logged: the simulator lives on. */
void state_file_save(struct sim *sim);
/* The state as JSON, a new reference. */
json_t *state_to_json(struct sim *sim);
