/* Prices as the API writes them: decimal strings, net and gross. Pure. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#define PRICE_VAT_PERCENT 19

/* {"net": "0.0088000000", "gross": "0.0104720000000000"}, a new reference. */
json_t *price_json(int64_t net_micros);
/* A month at most is billed, and an hour is this share of it, to a hundredth of a cent. */
int64_t price_hourly_micros(int64_t monthly_micros);
