/* IPv4 addresses and ranges, in host byte order. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cidr {
	uint32_t address; /* first address: no bits beyond the prefix */
	unsigned prefix;  /* 0 to 32 */
};

#define CIDR_TEXT_BYTES 20

/* "10.0.0.1": four decimal numbers without leading zeros, nothing else. */
bool ipv4_parse(const char *text, uint32_t *ret);
/* "10.0.0.0/16", without host bits. */
bool cidr_parse(const char *text, struct cidr *ret);
const char *ipv4_format(uint32_t address, char out[CIDR_TEXT_BYTES]); /* returns out */
const char *cidr_format(const struct cidr *cidr, char out[CIDR_TEXT_BYTES]);
uint32_t cidr_last(const struct cidr *cidr);
bool cidr_has(const struct cidr *cidr, uint32_t address);
bool cidr_contains(const struct cidr *outer, const struct cidr *inner); /* or equals */
bool cidr_overlap(const struct cidr *a, const struct cidr *b);
/* Wholly within 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16. */
bool cidr_is_private(const struct cidr *cidr);
