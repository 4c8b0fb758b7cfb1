#include "hcloud/cidr.h"

#include <stdio.h>
#include <string.h>

#define ADDRESS_BITS 32U

/* Up to `digits_max` digits without leading zeros; moves *text behind them. */
static bool read_number(const char **text, size_t digits_max, uint32_t max, uint32_t *ret)
{
	size_t digits = strspn(*text, "0123456789");
	uint32_t value = 0;

	if (digits == 0 || digits > digits_max || (digits > 1 && **text == '0'))
		return false;
	for (size_t i = 0; i < digits; i++)
		value = value * 10 + (uint32_t)((*text)[i] - '0');
	*text += digits;
	*ret = value;
	return value <= max;
}

static bool read_address(const char **text, uint32_t *ret)
{
	uint32_t address = 0;

	for (size_t i = 0; i < 4; i++) {
		uint32_t part;

		if (i > 0 && *(*text)++ != '.')
			return false;
		if (!read_number(text, 3, UINT8_MAX, &part))
			return false;
		address = address << 8 | part;
	}
	*ret = address;
	return true;
}

static uint32_t host_bits(unsigned prefix)
{
	return prefix == 0 ? UINT32_MAX : (uint32_t)((1ULL << (ADDRESS_BITS - prefix)) - 1);
}

bool ipv4_parse(const char *text, uint32_t *ret)
{
	uint32_t address;

	if (!read_address(&text, &address) || *text)
		return false;
	*ret = address;
	return true;
}

bool cidr_parse(const char *text, struct cidr *ret)
{
	uint32_t address;
	uint32_t prefix;

	if (!read_address(&text, &address) || *text++ != '/' ||
	    !read_number(&text, 2, ADDRESS_BITS, &prefix) || *text)
		return false;
	if (address & host_bits(prefix))
		return false;
	*ret = (struct cidr){.address = address, .prefix = prefix};
	return true;
}

const char *ipv4_format(uint32_t address, char out[CIDR_TEXT_BYTES])
{
	(void)snprintf(out, CIDR_TEXT_BYTES, "%u.%u.%u.%u", address >> 24, address >> 16 & 0xff,
		       address >> 8 & 0xff, address & 0xff);
	return out;
}

const char *cidr_format(const struct cidr *cidr, char out[CIDR_TEXT_BYTES])
{
	char address[CIDR_TEXT_BYTES];

	(void)snprintf(out, CIDR_TEXT_BYTES, "%.15s/%u", ipv4_format(cidr->address, address),
		       cidr->prefix % 100);
	return out;
}

uint32_t cidr_last(const struct cidr *cidr)
{
	return cidr->address | host_bits(cidr->prefix);
}

bool cidr_has(const struct cidr *cidr, uint32_t address)
{
	return address >= cidr->address && address <= cidr_last(cidr);
}

bool cidr_contains(const struct cidr *outer, const struct cidr *inner)
{
	return outer->prefix <= inner->prefix && cidr_has(outer, inner->address);
}

bool cidr_overlap(const struct cidr *a, const struct cidr *b)
{
	return cidr_contains(a, b) || cidr_contains(b, a);
}

bool cidr_is_private(const struct cidr *cidr)
{
	static const struct cidr ranges[] = {{0x0a000000, 8}, {0xac100000, 12}, {0xc0a80000, 16}};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		if (cidr_contains(&ranges[i], cidr))
			return true;
	}
	return false;
}
