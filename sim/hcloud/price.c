#include "hcloud/price.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"

#define MICROS		    1000000
#define GROSS_UNIT	    (INT64_C(100) * MICROS)
#define HOURS_PER_MONTH_CAP 624
#define PRICE_TEXT_BYTES    48
#define ROUNDING_MICROS	    100

json_t *price_json(int64_t net_micros)
{
	char net[PRICE_TEXT_BYTES];
	char gross[PRICE_TEXT_BYTES];
	int64_t gross_parts = net_micros * (100 + PRICE_VAT_PERCENT); /* hundredths of a micro */

	(void)snprintf(net, sizeof(net), "%" PRId64 ".%06" PRId64 "0000", net_micros / MICROS,
		       net_micros % MICROS);
	(void)snprintf(gross, sizeof(gross), "%" PRId64 ".%08" PRId64 "00000000",
		       gross_parts / GROSS_UNIT, gross_parts % GROSS_UNIT);
	json_t *price = json_pack("{s:s,s:s}", "net", net, "gross", gross);
	CHECK(price != NULL);
	return price;
}

int64_t price_hourly_micros(int64_t monthly_micros)
{
	int64_t step = (int64_t)HOURS_PER_MONTH_CAP * ROUNDING_MICROS;

	return (monthly_micros + step / 2) / step * ROUNDING_MICROS;
}
