#include "store/scram.h"

#include <string.h>

#include "tap.h"

/* What PostgreSQL 15 itself made of that password (ALTER ROLE … PASSWORD 'pencil'), with its salt.
 */
TEST(a_verifier_is_the_one_that_postgresql_makes)
{
	static const uint8_t salt[SCRAM_SALT_BYTES] = {0xfa, 0xf7, 0x57, 0x66, 0x9c, 0xff,
						       0x68, 0xaa, 0x6a, 0x5e, 0x32, 0xe7,
						       0x4e, 0x2e, 0x2e, 0x82};
	char verifier[SCRAM_VERIFIER_BYTES];

	scram_verifier("pencil", salt, verifier);
	EXPECT_STR(verifier,
		   "SCRAM-SHA-256$4096:+vdXZpz/aKpqXjLnTi4ugg==$byVgMPgqJCkN0nUP"
		   "E7tyuJx4egCiObSs4Ac0b3rK2bs=:z+ErlY4/kQ6dWas0K6DwAJs3vi1v6Lmlk1Btq6tFvnM=");
}

TEST(the_same_password_gets_another_salt_each_time)
{
	char one[SCRAM_VERIFIER_BYTES];
	char other[SCRAM_VERIFIER_BYTES];

	scram_verifier_random("pencil", one);
	scram_verifier_random("pencil", other);
	EXPECT(strcmp(one, other) != 0);
}
