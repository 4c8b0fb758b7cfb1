/* What a user names by an id: a job, or (when it begins with "batch_") a batch. Both may be a
 * unique prefix, and `last`: the newest job, or with `batch` verbs the newest batch. */
#pragma once

#include <stdbool.h>

bool target_is_batch(const char *id);
/* "jobs" or "batches" */
const char *target_collection(const char *id);
