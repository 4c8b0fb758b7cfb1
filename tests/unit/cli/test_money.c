#include "cli/money.h"

#include "tap.h"

static uint64_t parsed(const char *text)
{
	struct error err = {0};
	uint64_t micros = 0;

	EXPECT_OK(money_parse(text, 1000000000000, &micros, &err), err);
	return micros;
}

TEST(amounts_are_read_as_people_write_them)
{
	EXPECT_INT(parsed("50"), 50000000);
	EXPECT_INT(parsed("50.50"), 50500000);
	EXPECT_INT(parsed("€50"), 50000000);
	EXPECT_INT(parsed("EUR 50"), 50000000);
	EXPECT_INT(parsed("EUR50.5"), 50500000);
	EXPECT_INT(parsed("0.0088"), 8800);
	EXPECT_INT(parsed("0.000001"), 1);
	EXPECT_INT(parsed("0"), 0);
}

TEST(what_is_no_amount_is_refused)
{
	static const char *const bad[] = {"",	 "€",	      "-1",	 "1,5", "1.",	 ".5",
					  "1e6", "0.0000001", "1000001", "5 €", "1.2.3", "€€1"};
	struct error err = {0};
	uint64_t micros = 7;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_INT(money_parse(bad[i], 1000000000000, &micros, &err), -1);
		EXPECT_INT(err.code, ERR_INVALID);
		EXPECT_INT(micros, 7);
	}
}

TEST(small_amounts_keep_their_digits)
{
	char out[MONEY_BYTES];

	EXPECT_STR(money_format(12340000, out), "€12.34");
	EXPECT_STR(money_format(12345678, out), "€12.34");
	EXPECT_STR(money_format(0, out), "€0.00");
	EXPECT_STR(money_format(8800, out), "€0.0088");
	EXPECT_STR(money_format(500000, out), "€0.50");
	EXPECT_STR(money_format(1, out), "€0.000001");
	EXPECT_STR(money_format(-5, out), "€0.00");
}
