#include "base/encode.h"

#include "base/check.h"
#include "base/error.h"
#include "base/rand.h"

static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base32_digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
static const char base62_digits[] =
	"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/* The place of `c` among `digits`, or -1. */
static int digit_value(const char *digits, char c)
{
	const char *found = c != '\0' ? strchr(digits, c) : NULL;

	return found != NULL ? (int)(found - digits) : -1;
}

void base64_append(struct buf *out, const void *data, size_t bytes)
{
	const uint8_t *from = data;

	CHECK(bytes <= SIZE_MAX / 4);
	size_t text_bytes = (bytes + 2) / 3 * 4;
	char *to = buf_reserve(out, text_bytes);

	if (to == NULL)
		return;
	for (size_t i = 0; i < bytes; i += 3) {
		size_t left = bytes - i;
		uint32_t group = (uint32_t)from[i] << 16;

		if (left > 1)
			group |= (uint32_t)from[i + 1] << 8;
		if (left > 2)
			group |= from[i + 2];
		*to++ = base64_digits[group >> 18];
		*to++ = base64_digits[group >> 12 & 63];
		*to++ = (char)(left > 1 ? base64_digits[group >> 6 & 63] : '=');
		*to++ = (char)(left > 2 ? base64_digits[group & 63] : '=');
	}
	buf_commit(out, text_bytes);
}

/* Decodes four characters to `ret`; the number of bytes (1 to 3), or 0 when malformed. */
static size_t base64_group(const char text[4], bool last, char ret[3])
{
	size_t padding = 0;
	uint32_t group = 0;

	if (last && text[3] == '=')
		padding = text[2] == '=' ? 2 : 1;
	for (size_t i = 0; i < 4 - padding; i++) {
		int value = digit_value(base64_digits, text[i]);

		if (value < 0)
			return 0;
		group = group << 6 | (uint32_t)value;
	}
	group <<= 6 * padding;
	/* Bits that no byte takes must be zero, or two texts would mean the same bytes. */
	if ((group & ((1U << 8 * padding) - 1)) != 0)
		return 0;
	ret[0] = (char)(group >> 16 & 255);
	ret[1] = (char)(group >> 8 & 255);
	ret[2] = (char)(group & 255);
	return 3 - padding;
}

bool base64_decode(const char *text, size_t bytes, struct buf *out)
{
	size_t before = out->bytes;

	if (bytes % 4 != 0)
		return false;
	for (size_t i = 0; i < bytes; i += 4) {
		char decoded[3];
		size_t count = base64_group(text + i, i + 4 == bytes, decoded);

		if (count == 0) {
			/* Nothing is left of a text that turns out malformed half-way. */
			out->bytes = before;
			if (out->capacity > 0)
				out->data[before] = '\0';
			return false;
		}
		buf_append(out, decoded, count);
	}
	return true;
}

void base32_from_u64(uint64_t value, char out[BASE32_U64_CHARS + 1])
{
	for (int i = BASE32_U64_CHARS - 1; i >= 0; i--) {
		out[i] = base32_digits[value & 31];
		value >>= 5;
	}
	out[BASE32_U64_CHARS] = '\0';
}

bool base32_prefix_to_u64(const char *digits, uint64_t *ret_low, unsigned *ret_open_bits)
{
	uint64_t value = 0;
	unsigned count = 0;

	for (; digits[count] != '\0'; count++) {
		char c = digits[count];
		int digit = digit_value(base32_digits, (char)(c >= 'A' && c <= 'Z' ? c + 32 : c));

		/* 13 digits hold 65 bits: the first is at most 15. */
		if (digit < 0 || count == BASE32_U64_CHARS || (count == 0 && digit > 15))
			return false;
		value = value << 5 | (uint64_t)digit;
	}
	if (count == 0)
		return false;
	unsigned open_bits = 5 * (BASE32_U64_CHARS - count);

	*ret_low = value << open_bits;
	*ret_open_bits = open_bits;
	return true;
}

void base62_random(char *out, size_t chars)
{
	size_t done = 0;

	while (done < chars) {
		uint8_t drawn[64];

		rand_bytes(drawn, sizeof(drawn));
		for (size_t i = 0; i < sizeof(drawn) && done < chars; i++) {
			/* 248 = 4 * 62: larger values would favour the first digits. */
			if (drawn[i] < 248)
				out[done++] = base62_digits[drawn[i] % 62];
		}
		explicit_bzero(drawn, sizeof(drawn));
	}
	out[chars] = '\0';
}

void base62_from_u32(uint32_t value, char out[7])
{
	for (int i = 5; i >= 0; i--) {
		out[i] = base62_digits[value % 62];
		value /= 62;
	}
	out[6] = '\0';
}

uint32_t crc32_of(const void *data, size_t bytes)
{
	const uint8_t *next = data;
	uint32_t crc = 0xffffffffU;

	for (size_t i = 0; i < bytes; i++) {
		crc ^= next[i];
		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320U : 0);
	}
	return ~crc;
}

static bool is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

void url_encode(struct buf *out, const char *text, bool keep_slash)
{
	for (; *text != '\0'; text++) {
		if (is_unreserved(*text) || (keep_slash && *text == '/'))
			buf_append_char(out, *text);
		else
			buf_appendf(out, "%%%02X", (unsigned)(unsigned char)*text);
	}
}
