/* What servers cost: integer micro-euros, net; times in microseconds.
 *
 * The provider bills every hour that was started, counted from the server's creation, whatever its
 * power state; a primary IPv4 address is billed beside it by the same clock. In a calendar month a
 * server costs its monthly price at most, which a server reaches after about 26 days: workers do
 * not live that long (age_max), so the ledger counts started hours. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define BILLING_HOUR_US INT64_C(3600000000)

/* Hours of hour_us started in [created, until]: at least 1 when until >= created (creation is
 * billed), an hour that ends at `until` exactly starts no other. 0 when until < created: clocks
 * differ. */
uint64_t billing_hours_started(int64_t created_us, int64_t until_us, int64_t hour_us);
/* price * hours; INT64_MAX when that overflows. */
int64_t billing_cost(int64_t price_hour_micros, uint64_t hours);
