#include "api/range.h"

#include <stdbool.h>
#include <stddef.h>
#include <strings.h>

#define UNIT "bytes="

/* Digits up to something else; numbers beyond 64 bits count as the largest. False without a digit.
 */
static bool read_number(const char **at, uint64_t *ret)
{
	const char *start = *at;
	uint64_t number = 0;

	for (; **at >= '0' && **at <= '9'; (*at)++) {
		uint64_t digit = (uint64_t)(**at - '0');

		if (__builtin_mul_overflow(number, UINT64_C(10), &number) ||
		    __builtin_add_overflow(number, digit, &number))
			number = UINT64_MAX;
	}
	*ret = number;
	return *at != start;
}

static enum range_verdict last_bytes(uint64_t suffix_bytes, uint64_t content_bytes,
				     struct byte_range *ret)
{
	if (suffix_bytes == 0 || content_bytes == 0)
		return RANGE_NOT_SATISFIABLE;
	if (suffix_bytes > content_bytes)
		suffix_bytes = content_bytes;
	ret->first = content_bytes - suffix_bytes;
	ret->bytes = suffix_bytes;
	return RANGE_PART;
}

enum range_verdict range_parse(const char *header, uint64_t content_bytes, struct byte_range *ret)
{
	uint64_t first;
	uint64_t last = UINT64_MAX;

	if (header == NULL || strncasecmp(header, UNIT, sizeof(UNIT) - 1) != 0)
		return RANGE_WHOLE;
	const char *at = header + sizeof(UNIT) - 1;
	bool has_first = read_number(&at, &first);
	if (*at++ != '-')
		return RANGE_WHOLE;
	bool has_last = read_number(&at, &last);
	if (*at != '\0' || (!has_first && !has_last))
		return RANGE_WHOLE;
	if (!has_first)
		return last_bytes(last, content_bytes, ret);
	if (!has_last)
		last = UINT64_MAX;
	if (last < first)
		return RANGE_WHOLE;
	if (first >= content_bytes)
		return RANGE_NOT_SATISFIABLE;
	if (last >= content_bytes)
		last = content_bytes - 1;
	ret->first = first;
	ret->bytes = last - first + 1;
	return RANGE_PART;
}
