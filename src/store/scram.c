#include "store/scram.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/encode.h"
#include "base/hash.h"
#include "base/rand.h"

static void keyed(const uint8_t key[SHA256_BYTES], const char *text, uint8_t ret[SHA256_BYTES])
{
	unsigned bytes = 0;

	CHECK(HMAC(EVP_sha256(), key, SHA256_BYTES, (const unsigned char *)text, strlen(text), ret,
		   &bytes) != NULL);
	CHECK(bytes == SHA256_BYTES);
}

void scram_verifier(const char *password, const uint8_t salt[SCRAM_SALT_BYTES],
		    char ret[SCRAM_VERIFIER_BYTES])
{
	uint8_t salted[SHA256_BYTES];
	uint8_t client[SHA256_BYTES];
	uint8_t stored[SHA256_BYTES];
	uint8_t server[SHA256_BYTES];
	CLEANUP(cleanup_buf) struct buf text;
	char iterations[16];

	CHECK(PKCS5_PBKDF2_HMAC(password, (int)strlen(password), salt, SCRAM_SALT_BYTES,
				SCRAM_ITERATIONS, EVP_sha256(), SHA256_BYTES, salted) == 1);
	keyed(salted, "Client Key", client);
	sha256_of(client, SHA256_BYTES, stored);
	keyed(salted, "Server Key", server);

	buf_init(&text, SCRAM_VERIFIER_BYTES);
	(void)snprintf(iterations, sizeof(iterations), "%d:", SCRAM_ITERATIONS);
	buf_append_str(&text, "SCRAM-SHA-256$");
	buf_append_str(&text, iterations);
	base64_append(&text, salt, SCRAM_SALT_BYTES);
	buf_append_str(&text, "$");
	base64_append(&text, stored, SHA256_BYTES);
	buf_append_str(&text, ":");
	base64_append(&text, server, SHA256_BYTES);
	CHECK(!text.overflowed && text.bytes < SCRAM_VERIFIER_BYTES);
	memcpy(ret, text.data, text.bytes + 1);
	OPENSSL_cleanse(salted, sizeof(salted));
	OPENSSL_cleanse(client, sizeof(client));
}

void scram_verifier_random(const char *password, char ret[SCRAM_VERIFIER_BYTES])
{
	uint8_t salt[SCRAM_SALT_BYTES];

	rand_bytes(salt, sizeof(salt));
	scram_verifier(password, salt, ret);
}
