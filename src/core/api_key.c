#include "core/api_key.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/encode.h"
#include "base/error.h"

#define PREFIX	     "rgk_"
#define PREFIX_CHARS (sizeof(PREFIX) - 1)
#define LABEL_CHARS  (API_KEY_LABEL_BYTES - 1)
#define SECRET_CHARS 32
#define CRC_CHARS    6

#define SECRET_AT  (PREFIX_CHARS + LABEL_CHARS + 1)
#define BODY_CHARS (SECRET_AT + SECRET_CHARS) /* what the checksum covers */
#define KEY_CHARS  (BODY_CHARS + 1 + CRC_CHARS)

_Static_assert(KEY_CHARS < API_KEY_BYTES, "a key fits its buffer");

static bool is_base62(const char *text, size_t chars)
{
	for (size_t i = 0; i < chars; i++) {
		char c = text[i];

		if (!(c >= '0' && c <= '9') && !(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z'))
			return false;
	}
	return true;
}

void api_key_assemble(const char *label, const char *secret, char out[API_KEY_BYTES])
{
	char crc[CRC_CHARS + 1];

	CHECK(strlen(label) == LABEL_CHARS);
	CHECK(strlen(secret) == SECRET_CHARS);
	(void)snprintf(out, API_KEY_BYTES, PREFIX "%s_%s", label, secret);
	base62_from_u32(crc32_of(out, BODY_CHARS), crc);
	(void)snprintf(out + BODY_CHARS, API_KEY_BYTES - BODY_CHARS, "_%s", crc);
}

bool api_key_check(const char *key, char ret_label[API_KEY_LABEL_BYTES])
{
	char crc[CRC_CHARS + 1];

	if (strlen(key) != KEY_CHARS || memcmp(key, PREFIX, PREFIX_CHARS) != 0 ||
	    key[SECRET_AT - 1] != '_' || key[BODY_CHARS] != '_')
		return false;
	if (!is_base62(key + PREFIX_CHARS, LABEL_CHARS) ||
	    !is_base62(key + SECRET_AT, SECRET_CHARS))
		return false;
	base62_from_u32(crc32_of(key, BODY_CHARS), crc);
	if (memcmp(key + BODY_CHARS + 1, crc, CRC_CHARS) != 0)
		return false;
	memcpy(ret_label, key + PREFIX_CHARS, LABEL_CHARS);
	ret_label[LABEL_CHARS] = '\0';
	return true;
}
