/* What servers have measured. Ours idle: every series is a ripple, for clients that draw what does
 * not move divide by zero. The rest is as of Hetzner: several types at once, at most 500 samples,
 * 200 where no step is asked for, of the last 30 days. */
#pragma once

#include "hcloud/route.h"

extern const struct route server_metrics_routes[];
