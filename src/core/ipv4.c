#include "core/ipv4.h"

#include <stdio.h>
#include <string.h>

#define ADDRESS_BITS 32

/* Decimal from *at up to max, without leading zeros; moves *at behind it. */
static bool read_number(const char **at, unsigned max, unsigned *ret)
{
	const char *start = *at;
	unsigned number = 0;

	while (**at >= '0' && **at <= '9' && *at - start < 3)
		number = number * 10 + (unsigned)(*(*at)++ - '0');
	if (*at == start || (*start == '0' && *at - start > 1) || number > max)
		return false;
	*ret = number;
	return true;
}

static bool read_address(const char **at, uint32_t *ret)
{
	uint32_t address = 0;

	for (int i = 0; i < 4; i++) {
		unsigned part = 0;
		if (i > 0 && *(*at)++ != '.')
			return false;
		if (!read_number(at, 255, &part))
			return false;
		address = address << 8 | part;
	}
	*ret = address;
	return true;
}

static uint32_t host_bits(unsigned prefix)
{
	return prefix == 0 ? UINT32_MAX : (uint32_t)(1ULL << (ADDRESS_BITS - prefix)) - 1;
}

int ipv4_parse(const char *text, uint32_t *ret, struct error *err)
{
	const char *at = text;
	uint32_t address = 0;

	if (!read_address(&at, &address) || *at != '\0')
		return error_set(err, ERR_INVALID, "\"%.40s\" is not an IPv4 address", text);
	*ret = address;
	return 0;
}

int ipv4_range_parse(const char *text, struct ipv4_range *ret, struct error *err)
{
	const char *at = text;
	struct ipv4_range range;

	if (!read_address(&at, &range.first) || *at++ != '/' ||
	    !read_number(&at, ADDRESS_BITS, &range.prefix) || *at != '\0') {
		(void)error_set(err, ERR_INVALID, "\"%.40s\" is not an IPv4 range", text);
		return error_hint(err, "write it as 10.0.0.0/16");
	}
	if ((range.first & host_bits(range.prefix)) != 0) {
		char first[IPV4_BYTES];
		(void)error_set(err, ERR_INVALID, "%s does not begin where a /%u range can", text,
				range.prefix);
		return error_hint(err, "%s/%u holds it",
				  ipv4_format(range.first & ~host_bits(range.prefix), first),
				  range.prefix);
	}
	*ret = range;
	return 0;
}

const char *ipv4_format(uint32_t address, char out[IPV4_BYTES])
{
	(void)snprintf(out, IPV4_BYTES, "%u.%u.%u.%u", address >> 24, address >> 16 & 255,
		       address >> 8 & 255, address & 255);
	return out;
}

uint32_t ipv4_range_last(struct ipv4_range range)
{
	return range.first | host_bits(range.prefix);
}

bool ipv4_range_has(struct ipv4_range range, uint32_t address)
{
	return address >= range.first && address <= ipv4_range_last(range);
}

bool ipv4_range_is_within(struct ipv4_range inner, struct ipv4_range outer)
{
	return ipv4_range_has(outer, inner.first) && ipv4_range_has(outer, ipv4_range_last(inner));
}

bool ipv4_range_overlaps(struct ipv4_range a, struct ipv4_range b)
{
	return a.first <= ipv4_range_last(b) && b.first <= ipv4_range_last(a);
}

bool ipv4_range_equals(struct ipv4_range a, struct ipv4_range b)
{
	return a.first == b.first && a.prefix == b.prefix;
}

bool ipv4_range_is_private(struct ipv4_range range)
{
	static const struct ipv4_range private_ranges[] = {
		{0x0a000000, 8}, {0xac100000, 12}, {0xc0a80000, 16}};

	for (size_t i = 0; i < ARRAY_SIZE(private_ranges); i++) {
		if (ipv4_range_is_within(range, private_ranges[i]))
			return true;
	}
	return false;
}

bool ipv4_is_public(uint32_t address)
{
	static const struct ipv4_range others[] = {{0x00000000, 8},
						   {0x64400000, 10},
						   {0x7f000000, 8},
						   {0xa9fe0000, 16},
						   {0xe0000000, 3}};
	const struct ipv4_range alone = {address, ADDRESS_BITS};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		if (ipv4_range_has(others[i], address))
			return false;
	}
	return !ipv4_range_is_private(alone);
}
