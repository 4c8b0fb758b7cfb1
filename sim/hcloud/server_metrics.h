/* What servers have measured. Ours are idle: every sample is a zero. The rest is as of Hetzner:
 * several types at once, at most 500 samples, 200 where no step is asked for, of the last 30 days.
 */
#pragma once

#include "hcloud/route.h"

extern const struct route server_metrics_routes[];
