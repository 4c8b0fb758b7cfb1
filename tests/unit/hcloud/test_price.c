#include "hcloud/price.h"

#include "base/json.h"
#include "tap.h"

static const char *text(const json_t *price, const char *name)
{
	return json_string_value(json_object_get(price, name));
}

TEST(net_and_gross)
{
	CLEANUP(cleanup_json) json_t *price = price_json(8800);

	EXPECT_STR(text(price, "net"), "0.0088000000");
	EXPECT_STR(text(price, "gross"), "0.0104720000000000");
}

TEST(whole_euros)
{
	CLEANUP(cleanup_json) json_t *price = price_json(1019990000);

	EXPECT_STR(text(price, "net"), "1019.9900000000");
	EXPECT_STR(text(price, "gross"), "1213.7881000000000000");
}

TEST(nothing)
{
	CLEANUP(cleanup_json) json_t *price = price_json(0);

	EXPECT_STR(text(price, "net"), "0.0000000000");
	EXPECT_STR(text(price, "gross"), "0.0000000000000000");
}

/* Known pairs of the price list. */
TEST(an_hour_of_a_month)
{
	EXPECT_INT(price_hourly_micros(5490000), 8800);
	EXPECT_INT(price_hourly_micros(8490000), 13600);
	EXPECT_INT(price_hourly_micros(5990000), 9600);
	EXPECT_INT(price_hourly_micros(500000), 800);
	EXPECT_INT(price_hourly_micros(0), 0);
}
