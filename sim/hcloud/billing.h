/* What the servers and addresses of a project would have cost. Every started hour since `created`
 * is billed, whether the server runs or not, until it is deleted; a month costs at most the monthly
 * price. IPv4 addresses are billed by themselves, assigned or not; IPv6 is free. Money is net, in
 * integer micro-euros.
 *
 * The ledger of a project (project->ledger) is an array of entries: {"kind", "id", "name",
 * "server_type", "location", "hourly_micros", "monthly_micros", "from_us", "until_us"}, until_us
 * null while it goes on. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "hcloud/sim.h"

#define BILLING_HOUR_US 3600000000LL
/* Hours of that length begun between the two moments; at least one. Pure. */
uint64_t billing_hours(int64_t from_us, int64_t until_us, int64_t hour_us);
/* What so many hours cost: a month of 730 of them is never more than the monthly price. Pure. */
int64_t billing_cost(uint64_t hours, int64_t hourly_micros, int64_t monthly_micros);

/* Opens entries for what is new and closes those of what is gone. */
void billing_update(struct sim *sim);
/* {"project", "total_micros", "items": [entry with "hours" and "cost_micros"]}, a new reference. */
json_t *billing_statement(const struct sim *sim, const struct project *project);
