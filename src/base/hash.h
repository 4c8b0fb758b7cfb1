/* SHA-256, whole and in pieces, and its hexadecimal form, by which blobs are named. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES	 32
#define SHA256_HEX_BYTES 65 /* with NUL */

struct sha256; /* a running digest */

struct sha256 *sha256_new(void);
void sha256_update(struct sha256 *digest, const void *data, size_t bytes);
/* Writes the digest and starts over. */
void sha256_finish(struct sha256 *digest, uint8_t ret[SHA256_BYTES]);
void sha256_free(struct sha256 *digest);
void cleanup_sha256(struct sha256 **digest);

void sha256_of(const void *data, size_t bytes, uint8_t ret[SHA256_BYTES]);
void sha256_to_hex(const uint8_t digest[SHA256_BYTES], char ret[SHA256_HEX_BYTES]);
/* Exactly 64 lower-case hexadecimal digits; false otherwise. */
bool sha256_from_hex(const char *hex, uint8_t ret[SHA256_BYTES]);
/* Compares in constant time. */
bool sha256_equal(const uint8_t a[SHA256_BYTES], const uint8_t b[SHA256_BYTES]);
