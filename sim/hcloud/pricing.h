/* GET /pricing: what everything costs. */
#pragma once

#include "hcloud/route.h"

/* Net; the share of an hour is the hour's price of one that is kept for the whole month. */
#define PRICING_IPV4_MONTHLY_MICROS 500000

extern const struct route pricing_routes[];
