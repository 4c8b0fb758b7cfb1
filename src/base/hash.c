#include "base/hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/error.h"

struct sha256 {
	EVP_MD_CTX *ctx;
};

static void start(struct sha256 *digest)
{
	int ok = EVP_DigestInit_ex(digest->ctx, EVP_sha256(), NULL);

	CHECK(ok == 1);
}

struct sha256 *sha256_new(void)
{
	struct sha256 *digest = xcalloc(1, sizeof(*digest));

	digest->ctx = EVP_MD_CTX_new();
	CHECK(digest->ctx != NULL);
	start(digest);
	return digest;
}

void sha256_update(struct sha256 *digest, const void *data, size_t bytes)
{
	int ok = EVP_DigestUpdate(digest->ctx, data, bytes);

	CHECK(ok == 1);
}

void sha256_finish(struct sha256 *digest, uint8_t ret[SHA256_BYTES])
{
	unsigned bytes = 0;
	int ok = EVP_DigestFinal_ex(digest->ctx, ret, &bytes);

	CHECK(ok == 1);
	CHECK(bytes == SHA256_BYTES);
	start(digest);
}

void sha256_free(struct sha256 *digest)
{
	if (digest == NULL)
		return;
	EVP_MD_CTX_free(digest->ctx);
	free(digest);
}

void cleanup_sha256(struct sha256 **digest)
{
	sha256_free(*digest);
}

void sha256_of(const void *data, size_t bytes, uint8_t ret[SHA256_BYTES])
{
	unsigned written = 0;
	int ok = EVP_Digest(data, bytes, ret, &written, EVP_sha256(), NULL);

	CHECK(ok == 1);
	CHECK(written == SHA256_BYTES);
}

void sha256_to_hex(const uint8_t digest[SHA256_BYTES], char ret[SHA256_HEX_BYTES])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < SHA256_BYTES; i++) {
		ret[2 * i] = digits[digest[i] >> 4];
		ret[2 * i + 1] = digits[digest[i] & 15];
	}
	ret[SHA256_HEX_BYTES - 1] = '\0';
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

bool sha256_from_hex(const char *hex, uint8_t ret[SHA256_BYTES])
{
	uint8_t digest[SHA256_BYTES];

	for (size_t i = 0; i < SHA256_BYTES; i++) {
		int high = hex_value(hex[2 * i]);
		int low = high >= 0 ? hex_value(hex[2 * i + 1]) : -1;

		if (low < 0)
			return false;
		digest[i] = (uint8_t)(high * 16 + low);
	}
	if (hex[SHA256_HEX_BYTES - 1] != '\0')
		return false;
	memcpy(ret, digest, sizeof(digest));
	return true;
}

bool sha256_equal(const uint8_t a[SHA256_BYTES], const uint8_t b[SHA256_BYTES])
{
	return CRYPTO_memcmp(a, b, SHA256_BYTES) == 0;
}
