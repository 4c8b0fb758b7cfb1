#include "base/encode.h"

#include <string.h>

#include "base/rand.h"
#include "tap.h"

static void expect_base64(const char *plain, const char *encoded)
{
	CLEANUP(cleanup_buf) struct buf out;
	CLEANUP(cleanup_buf) struct buf back;

	buf_init(&out, 100);
	buf_init(&back, 100);
	base64_append(&out, plain, strlen(plain));
	EXPECT_STR(out.data, encoded);
	EXPECT(base64_decode(encoded, strlen(encoded), &back));
	EXPECT_STR(back.data, plain);
}

/* The vectors of RFC 4648. */
TEST(base64_vectors)
{
	expect_base64("", "");
	expect_base64("f", "Zg==");
	expect_base64("fo", "Zm8=");
	expect_base64("foo", "Zm9v");
	expect_base64("foob", "Zm9vYg==");
	expect_base64("fooba", "Zm9vYmE=");
	expect_base64("foobar", "Zm9vYmFy");
}

TEST(base64_round_trip_of_random_bytes)
{
	uint8_t data[257];

	for (size_t bytes = 0; bytes <= sizeof(data); bytes++) {
		CLEANUP(cleanup_buf) struct buf text;
		CLEANUP(cleanup_buf) struct buf back;

		rand_bytes(data, bytes);
		buf_init(&text, 1000);
		buf_init(&back, 1000);
		base64_append(&text, data, bytes);
		EXPECT(base64_decode(text.data, text.bytes, &back));
		EXPECT_INT(back.bytes, bytes);
		EXPECT(memcmp(back.data, data, bytes) == 0);
	}
}

TEST(base64_refuses_what_does_not_belong)
{
	static const char *const bad[] = {
		"Z",	"Zg",	"Zg=",	 "Zg== ", "Zg=\n",    "Z===",	  "====",
		"Zh==", "Zm9=", "Zm9v=", "Zm 9v", "Zg==Zg==", "Zm9v-_==", "Zm9v\n",
	};
	CLEANUP(cleanup_buf) struct buf out;

	buf_init(&out, 100);
	buf_append_str(&out, "kept");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (base64_decode(bad[i], strlen(bad[i]), &out))
			tap_fail(__FILE__, __LINE__, "\"%s\" passes", bad[i]);
		EXPECT_STR(out.data, "kept");
	}
	EXPECT(!base64_decode("Zm9\0", 4, &out));
}

TEST(base64_respects_the_maximum)
{
	CLEANUP(cleanup_buf) struct buf out;

	buf_init(&out, 3);
	base64_append(&out, "f", 1);
	EXPECT(out.overflowed);
	buf_clear(&out);
	EXPECT(base64_decode("Zm9vYg==", 8, &out));
	EXPECT(out.overflowed);
}

TEST(base32_order_is_numeric_order)
{
	static const uint64_t values[] = {0, 1, 31, 32, 1ULL << 60, UINT64_MAX - 1, UINT64_MAX};
	char before[BASE32_U64_CHARS + 1] = "";
	char text[BASE32_U64_CHARS + 1];

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		uint64_t low;
		unsigned open_bits;

		base32_from_u64(values[i], text);
		EXPECT_INT(strlen(text), 13);
		EXPECT(strcmp(before, text) < 0);
		memcpy(before, text, sizeof(text));
		EXPECT(base32_prefix_to_u64(text, &low, &open_bits));
		EXPECT(low == values[i]);
		EXPECT_INT(open_bits, 0);
	}
	base32_from_u64(UINT64_MAX, text);
	EXPECT_STR(text, "fzzzzzzzzzzzz");
}

TEST(base32_prefixes)
{
	uint64_t low = 1;
	unsigned open_bits = 1;

	EXPECT(base32_prefix_to_u64("f", &low, &open_bits));
	EXPECT(low == 15ULL << 60);
	EXPECT_INT(open_bits, 60);
	EXPECT(base32_prefix_to_u64("0Z", &low, &open_bits));
	EXPECT(low == 31ULL << 55);
	EXPECT_INT(open_bits, 55);
}

TEST(base32_refuses)
{
	static const char *const bad[] = {"",
					  "g",
					  "z",
					  "i",
					  "0l",
					  "0o",
					  "0u",
					  "0-",
					  "0 ",
					  "0\xc3",
					  "00000000000000",
					  "fzzzzzzzzzzzzz"};
	uint64_t low = 7;
	unsigned open_bits = 7;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT(!base32_prefix_to_u64(bad[i], &low, &open_bits));
	EXPECT_INT(low, 7);
	EXPECT_INT(open_bits, 7);
}

TEST(base62_random_uses_every_digit_alike)
{
	static char text[62 * 1000 + 1];
	unsigned counts[128] = {0};

	base62_random(text, sizeof(text) - 1);
	EXPECT_INT(strlen(text), sizeof(text) - 1);
	for (const char *c = text; *c != '\0'; c++) {
		EXPECT((*c >= '0' && *c <= '9') || (*c >= 'A' && *c <= 'Z') ||
		       (*c >= 'a' && *c <= 'z'));
		counts[(unsigned char)*c]++;
	}
	/* 1000 each on average, standard deviation 31: a bias of 256 mod 62 would show as 25 %. */
	for (int c = '0'; c <= 'z'; c++)
		EXPECT(counts[c] == 0 || (counts[c] > 750 && counts[c] < 1250));
	base62_random(text, 0);
	EXPECT_STR(text, "");
}

TEST(base62_of_numbers)
{
	char out[7];

	base62_from_u32(0, out);
	EXPECT_STR(out, "000000");
	base62_from_u32(61, out);
	EXPECT_STR(out, "00000z");
	base62_from_u32(62, out);
	EXPECT_STR(out, "000010");
	base62_from_u32(UINT32_MAX, out);
	EXPECT_STR(out, "4gfFC3");
}

TEST(crc32_vector)
{
	EXPECT_INT(crc32_of("123456789", 9), 0xcbf43926U);
	EXPECT_INT(crc32_of("", 0), 0);
}

TEST(url_encoding)
{
	CLEANUP(cleanup_buf) struct buf out;

	buf_init(&out, 100);
	url_encode(&out, "aZ09-._~ /?&=%+\"\xc3\xa4\n", false);
	EXPECT_STR(out.data, "aZ09-._~%20%2F%3F%26%3D%25%2B%22%C3%A4%0A");
	buf_clear(&out);
	url_encode(&out, "a/b c", true);
	EXPECT_STR(out.data, "a/b%20c");
}
