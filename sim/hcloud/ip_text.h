/* IPv4 addresses and ranges (core/ipv4.h) in requests and documents. What cannot be read is refused
 * in the API's own words, so that the reason is of no interest here. */
#pragma once

#include <stdbool.h>

#include "core/ipv4.h"

bool ip_read(const char *text, uint32_t *ret);
bool ip_range_read(const char *text, struct ipv4_range *ret);
/* "10.0.1.0/24"; returns out. */
const char *ip_range_format(const struct ipv4_range *range, char out[IPV4_RANGE_BYTES]);
