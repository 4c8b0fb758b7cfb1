#include "hcloud/cidr.h"

#include "tap.h"

TEST(addresses)
{
	uint32_t ip;
	static const char *const bad[] = {"",	      "1.2.3",	  "1.2.3.4.5", "1.2.3.256",
					  "01.2.3.4", "1.2.3.4 ", " 1.2.3.4",  "1..3.4",
					  "1.2.3.-4", "a.b.c.d"};

	EXPECT(ipv4_parse("10.0.1.2", &ip));
	EXPECT_INT(ip, 0x0a000102);
	EXPECT(ipv4_parse("255.255.255.255", &ip));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		EXPECT(!ipv4_parse(bad[i], &ip));
}

TEST(ranges)
{
	struct cidr cidr;
	static const char *const bad[] = {"10.0.0.0",	 "10.0.0.0/",	 "10.0.0.0/33",
					  "10.0.0.1/16", "10.0.0.0/016", "10.0.0.0/16x"};

	EXPECT(cidr_parse("0.0.0.0/0", &cidr));
	EXPECT_INT(cidr_last(&cidr), 0xffffffff);
	EXPECT(cidr_parse("10.0.1.7/32", &cidr));
	EXPECT_INT(cidr_last(&cidr), cidr.address);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		EXPECT(!cidr_parse(bad[i], &cidr));
}

TEST(text_and_back)
{
	static const char *const texts[] = {"10.0.0.0/8", "192.168.7.128/25", "0.0.0.0/0"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct cidr cidr;
		char text[CIDR_TEXT_BYTES];

		EXPECT(cidr_parse(texts[i], &cidr));
		EXPECT_STR(cidr_format(&cidr, text), texts[i]);
	}
}

static bool overlap(const char *a, const char *b)
{
	struct cidr left;
	struct cidr right;

	EXPECT(cidr_parse(a, &left) && cidr_parse(b, &right));
	EXPECT(cidr_overlap(&left, &right) == cidr_overlap(&right, &left));
	return cidr_overlap(&left, &right);
}

TEST(overlaps)
{
	EXPECT(overlap("10.0.0.0/16", "10.0.1.0/24"));
	EXPECT(overlap("10.0.0.0/16", "10.0.0.0/16"));
	EXPECT(!overlap("10.0.0.0/24", "10.0.1.0/24"));
	EXPECT(overlap("0.0.0.0/0", "10.0.1.0/24"));
}

static bool private(const char *text)
{
	struct cidr cidr;

	EXPECT(cidr_parse(text, &cidr));
	return cidr_is_private(&cidr);
}

TEST(private_ranges)
{
	EXPECT(private("10.0.0.0/8"));
	EXPECT(private("172.16.0.0/12"));
	EXPECT(private("172.31.255.0/24"));
	EXPECT(private("192.168.0.0/16"));
	EXPECT(!private("10.0.0.0/7"));
	EXPECT(!private("172.32.0.0/16"));
	EXPECT(!private("192.0.0.0/8"));
	EXPECT(!private("8.8.8.0/24"));
}
