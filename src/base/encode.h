/* Binary to text and back: base64 (RFC 4648, padded), Crockford base32 and base62 of integers,
 * URL percent-encoding, CRC-32. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

void base64_append(struct buf *out, const void *data, size_t bytes);
/* Strict; false on any character that does not belong. Appends the decoded bytes. */
bool base64_decode(const char *text, size_t bytes, struct buf *out);

#define BASE32_U64_CHARS 13
/* 13 lower-case Crockford digits (0-9 a-z without i l o u), most significant first, so that text
 * order is numeric order. */
void base32_from_u64(uint64_t value, char out[BASE32_U64_CHARS + 1]);
/* Decodes 1 to 13 leading digits: the least value with that prefix, and the number of bits left
 * open below it. False on a foreign character or overflow. Case-insensitive. */
bool base32_prefix_to_u64(const char *digits, uint64_t *ret_low, unsigned *ret_open_bits);

/* `chars` characters of 0-9A-Za-z drawn from the kernel's randomness, NUL-terminated. */
void base62_random(char *out, size_t chars);
/* `value` as exactly 6 base62 digits. */
void base62_from_u32(uint32_t value, char out[7]);
uint32_t crc32_of(const void *data, size_t bytes);

/* Percent-encodes everything but unreserved characters; '/' is kept if keep_slash. */
void url_encode(struct buf *out, const char *text, bool keep_slash);
