#include "core/ipv4.h"

#include "tap.h"

static struct ipv4_range range_of(const char *text)
{
	struct error err;
	struct ipv4_range range = {0};
	EXPECT_OK(ipv4_range_parse(text, &range, &err), err);
	return range;
}

TEST(addresses_are_read_strictly)
{
	struct error err;
	uint32_t address = 0;
	char text[IPV4_BYTES];

	EXPECT_OK(ipv4_parse("10.0.1.2", &address, &err), err);
	EXPECT(address == 0x0a000102);
	EXPECT_STR(ipv4_format(address, text), "10.0.1.2");
	EXPECT_OK(ipv4_parse("255.255.255.255", &address, &err), err);
	EXPECT_STR(ipv4_format(address, text), "255.255.255.255");
	static const char *const bad[] = {"",	       "10.0.1",     "10.0.1.2.3",  "10.0.1.256",
					  "10.0.01.2", "10.0.1.2 ",  " 10.0.1.2",   "10.0.1.-2",
					  "10..1.2",   "0x0a.0.1.2", "10.0.1.2/24", "10.0.1.0002",
					  "a.b.c.d",   "1.2.3."};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_ERR(ipv4_parse(bad[i], &address, &err), err, ERR_INVALID);
}

TEST(ranges_have_no_bits_beyond_their_prefix)
{
	struct error err;
	struct ipv4_range range;

	EXPECT_INT(range_of("10.0.0.0/16").prefix, 16);
	EXPECT_INT(range_of("0.0.0.0/0").prefix, 0);
	EXPECT_INT(range_of("10.0.1.2/32").prefix, 32);
	EXPECT_ERR(ipv4_range_parse("10.0.1.0/16", &range, &err), err, ERR_INVALID);
	EXPECT_STR(err.hint, "10.0.0.0/16 holds it");
	static const char *const bad[] = {"10.0.0.0",	  "10.0.0.0/",	  "10.0.0.0/33",
					  "10.0.0.0/16x", "10.0.0.0/016", "/16",
					  "10.0.0.0/-1",  "0.0.0.1/0"};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_ERR(ipv4_range_parse(bad[i], &range, &err), err, ERR_INVALID);
}

TEST(ranges_contain_and_overlap)
{
	struct ipv4_range network = range_of("10.0.0.0/16");
	struct ipv4_range subnet = range_of("10.0.1.0/24");
	struct ipv4_range all = range_of("0.0.0.0/0");

	EXPECT(ipv4_range_last(subnet) == 0x0a0001ff);
	EXPECT(ipv4_range_last(all) == UINT32_MAX);
	EXPECT(ipv4_range_is_within(subnet, network));
	EXPECT(!ipv4_range_is_within(network, subnet));
	EXPECT(ipv4_range_is_within(network, all));
	EXPECT(ipv4_range_overlaps(subnet, network) && ipv4_range_overlaps(network, subnet));
	EXPECT(!ipv4_range_overlaps(subnet, range_of("10.0.2.0/24")));
	EXPECT(!ipv4_range_overlaps(subnet, range_of("10.0.0.0/24")));
	EXPECT(ipv4_range_has(subnet, 0x0a000100) && ipv4_range_has(subnet, 0x0a0001ff));
	EXPECT(!ipv4_range_has(subnet, 0x0a0000ff) && !ipv4_range_has(subnet, 0x0a000200));
	EXPECT(ipv4_range_equals(subnet, subnet) && !ipv4_range_equals(subnet, network));
}

TEST(private_is_what_rfc_1918_says)
{
	static const char *const private[] = {"10.0.0.0/8", "172.16.0.0/12", "172.31.255.0/24",
					      "192.168.0.0/16"};
	static const char *const public[] = {"10.0.0.0/7",  "172.32.0.0/16", "46.0.0.0/8",
					     "192.0.0.0/8", "0.0.0.0/0",     "100.64.0.0/10"};
	for (size_t i = 0; i < ARRAY_SIZE(private); i++)
		EXPECT(ipv4_range_is_private(range_of(private[i])));
	for (size_t i = 0; i < ARRAY_SIZE(public); i++)
		EXPECT(!ipv4_range_is_private(range_of(public[i])));
}

TEST(public_is_one_machine_of_the_internet)
{
	static const char *const public[] = {"46.62.246.120", "1.0.0.0",       "9.255.255.255",
					     "11.0.0.0",      "100.63.0.1",    "100.128.0.0",
					     "126.0.0.1",     "128.0.0.1",     "169.253.0.1",
					     "172.32.0.1",    "223.255.255.1", "198.18.0.3"};
	static const char *const others[] = {"0.0.0.0",	   "0.1.2.3",	     "10.0.1.3",
					     "100.64.0.1", "127.0.0.1",	     "169.254.169.254",
					     "172.16.0.1", "192.168.1.1",    "224.0.0.1",
					     "240.0.0.1",  "255.255.255.255"};
	struct error err = {0};
	uint32_t address = 0;

	for (size_t i = 0; i < ARRAY_SIZE(public); i++)
		EXPECT(ipv4_parse(public[i], &address, &err) == 0 && ipv4_is_public(address));
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		EXPECT(ipv4_parse(others[i], &address, &err) == 0 && !ipv4_is_public(address));
}
