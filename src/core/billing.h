/* What servers cost, and whose cost it is: integer micro-euros, net; times in microseconds.
 *
 * The provider bills every hour that was started, counted from the server's creation, whatever its
 * power state; a primary IPv4 address is billed beside it by the same clock. In a calendar month a
 * server costs its monthly price at most, which a server reaches after about 26 days: workers do
 * not live that long (age_max), so the ledger counts started hours and billing_month_capped tells
 * what a cap would leave. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define BILLING_HOUR_US INT64_C(3600000000)

/* Hours started in [created, until]: at least 1 when until >= created (creation is billed), an hour
 * that ends at `until` exactly starts no other. 0 when until < created: clocks differ. */
uint64_t billing_hours_started(int64_t created_us, int64_t until_us);
/* When the paid hour that runs at `now` ends: the first multiple of an hour after created that is
 * not before now, and not created itself. */
int64_t billing_hour_end(int64_t created_us, int64_t now_us);
/* price * hours; INT64_MAX when that overflows. */
int64_t billing_cost(int64_t price_hour_micros, uint64_t hours);
/* The smaller of cost and the monthly price (0: no cap known). */
int64_t billing_month_capped(int64_t cost_micros, int64_t price_month_micros);

/* A paid stretch of a worker (usually one started hour) is shared among the attempts that ran in it
 * by slot-microseconds; what no attempt used is idle cost. */
struct billing_use {
	int64_t from_us, to_us; /* of the attempt; clipped to the stretch */
	uint32_t slots;		/* that it took: 1 */
	int64_t ret_micros;	/* its share */
};
/* Shares sum, with *ret_idle_micros, to cost_micros exactly: largest remainder, ties to the earlier
 * use. Uses beyond the worker's capacity (slots * stretch) shrink evenly; idle is then 0. */
void billing_share(int64_t from_us, int64_t to_us, uint32_t slots, int64_t cost_micros,
		   struct billing_use *uses, size_t use_count, int64_t *ret_idle_micros);
