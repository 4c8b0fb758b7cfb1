#include "core/billing.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/cleanup.h"

uint64_t billing_hours_started(int64_t created_us, int64_t until_us)
{
	if (until_us < created_us)
		return 0;
	uint64_t lived_us = (uint64_t)(until_us - created_us);
	uint64_t hour_us = (uint64_t)BILLING_HOUR_US;

	return lived_us == 0 ? 1 : (lived_us + hour_us - 1) / hour_us;
}

int64_t billing_hour_end(int64_t created_us, int64_t now_us)
{
	uint64_t hours = billing_hours_started(created_us, now_us);

	return created_us + (int64_t)(hours == 0 ? 1 : hours) * BILLING_HOUR_US;
}

int64_t billing_cost(int64_t price_hour_micros, uint64_t hours)
{
	CHECK(price_hour_micros >= 0);
	if (price_hour_micros != 0 && hours > (uint64_t)(INT64_MAX / price_hour_micros))
		return INT64_MAX;
	return price_hour_micros * (int64_t)hours;
}

int64_t billing_month_capped(int64_t cost_micros, int64_t price_month_micros)
{
	return price_month_micros > 0 && cost_micros > price_month_micros ? price_month_micros
									  : cost_micros;
}

/* One who shares: a use, or (the last) what was idle. */
struct sharer {
	uint64_t weight;
	uint64_t remainder;
	int64_t micros;
	size_t place;
};

/* a * b / c, with the remainder, for b <= c and c below 2^63: the product may not fit 64 bits, and
 * division of 128 bits would be a call into the compiler's library. */
static uint64_t scaled(uint64_t a, uint64_t b, uint64_t c, uint64_t *ret_remainder)
{
	uint64_t quotient = 0;
	uint64_t remainder = 0;

	for (int bit = 63; bit >= 0; bit--) {
		quotient *= 2;
		remainder *= 2;
		if (remainder >= c) {
			remainder -= c;
			quotient++;
		}
		if ((a >> bit & 1) == 0)
			continue;
		remainder += b;
		if (remainder >= c) {
			remainder -= c;
			quotient++;
		}
	}
	*ret_remainder = remainder;
	return quotient;
}

static int by_remainder(const void *a, const void *b)
{
	const struct sharer *one = a;
	const struct sharer *other = b;

	if (one->remainder != other->remainder)
		return one->remainder > other->remainder ? -1 : 1;
	return (one->place > other->place) - (one->place < other->place);
}

static int by_place(const void *a, const void *b)
{
	const struct sharer *one = a;
	const struct sharer *other = b;

	return (one->place > other->place) - (one->place < other->place);
}

/* Rounds down, then gives what is left to the largest remainders. */
static void share_out(struct sharer *sharers, size_t count, uint64_t total, int64_t cost_micros)
{
	int64_t left_micros = cost_micros;

	for (size_t i = 0; i < count; i++) {
		struct sharer *sharer = &sharers[i];
		sharer->micros = (int64_t)scaled((uint64_t)cost_micros, sharer->weight, total,
						 &sharer->remainder);
		left_micros -= sharer->micros;
	}
	CHECK(left_micros >= 0 && (uint64_t)left_micros < count);
	qsort(sharers, count, sizeof(*sharers), by_remainder);
	for (size_t i = 0; left_micros > 0; i++, left_micros--)
		sharers[i].micros++;
	qsort(sharers, count, sizeof(*sharers), by_place);
}

static uint64_t used(const struct billing_use *use, int64_t from_us, int64_t to_us)
{
	int64_t begin_us = use->from_us > from_us ? use->from_us : from_us;
	int64_t end_us = use->to_us < to_us ? use->to_us : to_us;

	return end_us > begin_us ? (uint64_t)(end_us - begin_us) * use->slots : 0;
}

void billing_share(int64_t from_us, int64_t to_us, uint32_t slots, int64_t cost_micros,
		   struct billing_use *uses, size_t use_count, int64_t *ret_idle_micros)
{
	CLEANUP(cleanup_free)
	struct sharer *sharers = xcalloc(use_count + 1, sizeof(*sharers));
	uint64_t capacity = to_us > from_us ? (uint64_t)(to_us - from_us) * slots : 0;
	uint64_t total = 0;

	CHECK(cost_micros >= 0);
	for (size_t i = 0; i < use_count; i++) {
		sharers[i] = (struct sharer){.weight = used(&uses[i], from_us, to_us), .place = i};
		total += sharers[i].weight;
	}
	sharers[use_count].place = use_count;
	if (capacity > total) {
		sharers[use_count].weight = capacity - total;
		total = capacity;
	}
	CHECK(total < UINT64_MAX / 2);
	if (total == 0)
		sharers[use_count].micros = cost_micros;
	else
		share_out(sharers, use_count + 1, total, cost_micros);
	for (size_t i = 0; i < use_count; i++)
		uses[i].ret_micros = sharers[i].micros;
	*ret_idle_micros = sharers[use_count].micros;
}
