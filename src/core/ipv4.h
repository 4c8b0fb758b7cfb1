/* IPv4 addresses and ranges ("10.0.1.0/24") as numbers in the host's byte order. Strict: no leading
 * zeros, no missing parts, no bits of a range beyond its prefix. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define IPV4_BYTES	 16 /* "255.255.255.255" with NUL */
#define IPV4_RANGE_BYTES 20

struct ipv4_range {
	uint32_t first;
	unsigned prefix; /* bits, 0 to 32 */
};

MUST_CHECK int ipv4_parse(const char *text, uint32_t *ret, struct error *err);
MUST_CHECK int ipv4_range_parse(const char *text, struct ipv4_range *ret, struct error *err);
const char *ipv4_format(uint32_t address, char out[IPV4_BYTES]); /* returns out */

uint32_t ipv4_range_last(struct ipv4_range range);
bool ipv4_range_has(struct ipv4_range range, uint32_t address);
bool ipv4_range_is_within(struct ipv4_range inner, struct ipv4_range outer);
bool ipv4_range_overlaps(struct ipv4_range a, struct ipv4_range b);
bool ipv4_range_equals(struct ipv4_range a, struct ipv4_range b);
/* Of the private ranges of RFC 1918, as a whole. */
bool ipv4_range_is_private(struct ipv4_range range);
/* Of one machine on the internet: not "this network", loopback, link-local, private, shared behind
 * providers' NAT, multicast or above. Ranges for documentation and benchmarks count as public. */
bool ipv4_is_public(uint32_t address);
