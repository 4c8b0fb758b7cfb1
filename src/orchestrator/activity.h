/* What operators read in the log: how workers change their state, and that jobs are claimed and
 * end, in the words of the deployment guide. Told from one observation to the next. */
#pragma once

#include "base/error.h"
#include "core/fleet.h"
#include "store/pg.h"

struct activity;

struct activity *activity_new(void);
void activity_free(struct activity *activity);
/* Logs what has changed between the last world that it was shown and this one. */
void activity_workers(struct activity *activity, const struct fleet_world *world);
/* Logs how many jobs were claimed and ended since it was last asked, with an example of each. */
MUST_CHECK int activity_jobs(struct activity *activity, struct pg *pg, struct error *err);
