#include "core/billing.h"

#include "base/check.h"

uint64_t billing_hours_started(int64_t created_us, int64_t until_us, int64_t hour_us)
{
	CHECK(hour_us > 0);
	if (until_us < created_us)
		return 0;
	uint64_t lived_us = (uint64_t)(until_us - created_us);

	return lived_us == 0 ? 1 : (lived_us + (uint64_t)hour_us - 1) / (uint64_t)hour_us;
}

int64_t billing_cost(int64_t price_hour_micros, uint64_t hours)
{
	CHECK(price_hour_micros >= 0);
	if (price_hour_micros != 0 && hours > (uint64_t)(INT64_MAX / price_hour_micros))
		return INT64_MAX;
	return price_hour_micros * (int64_t)hours;
}
