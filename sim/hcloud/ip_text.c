#include "hcloud/ip_text.h"

bool ip_read(const char *text, uint32_t *ret)
{
	struct error err;

	return ipv4_parse(text, ret, &err) == 0;
}

bool ip_range_read(const char *text, struct ipv4_range *ret)
{
	struct error err;

	return ipv4_range_parse(text, ret, &err) == 0;
}

const char *ip_range_format(const struct ipv4_range *range, char out[IPV4_RANGE_BYTES])
{
	char first[IPV4_BYTES];

	(void)snprintf(out, IPV4_RANGE_BYTES, "%s/%u", ipv4_format(range->first, first),
		       range->prefix);
	return out;
}
