#include "base/hash.h"

#include <string.h>

#include "base/cleanup.h"
#include "tap.h"

#define ABC_HEX "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

/* The vectors of FIPS 180. */
TEST(sha256_vectors)
{
	uint8_t digest[SHA256_BYTES];
	char hex[SHA256_HEX_BYTES];

	sha256_of("abc", 3, digest);
	sha256_to_hex(digest, hex);
	EXPECT_STR(hex, ABC_HEX);
	sha256_of("", 0, digest);
	sha256_to_hex(digest, hex);
	EXPECT_STR(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(sha256_in_pieces_and_again)
{
	CLEANUP(cleanup_sha256) struct sha256 *running = sha256_new();
	uint8_t whole[SHA256_BYTES];
	uint8_t pieces[SHA256_BYTES];

	sha256_of("abc", 3, whole);
	for (int round = 0; round < 2; round++) {
		sha256_update(running, "a", 1);
		sha256_update(running, "", 0);
		sha256_update(running, "bc", 2);
		sha256_finish(running, pieces);
		EXPECT(sha256_equal(whole, pieces));
	}
	pieces[31] ^= 1;
	EXPECT(!sha256_equal(whole, pieces));
	sha256_free(NULL);
}

TEST(sha256_hex_is_read_back)
{
	uint8_t digest[SHA256_BYTES];
	uint8_t back[SHA256_BYTES] = {0};

	sha256_of("abc", 3, digest);
	EXPECT(sha256_from_hex(ABC_HEX, back));
	EXPECT(sha256_equal(digest, back));
}

TEST(sha256_hex_is_strict)
{
	uint8_t digest[SHA256_BYTES] = {7};
	char upper[] = ABC_HEX;

	upper[0] = 'B';
	EXPECT(!sha256_from_hex("", digest));
	EXPECT(!sha256_from_hex("a", digest));
	EXPECT(!sha256_from_hex(&ABC_HEX[1], digest));
	EXPECT(!sha256_from_hex(ABC_HEX "0", digest));
	EXPECT(!sha256_from_hex(ABC_HEX " ", digest));
	EXPECT(!sha256_from_hex(upper, digest));
	upper[0] = 'g';
	EXPECT(!sha256_from_hex(upper, digest));
	EXPECT_INT(digest[0], 7);
}
