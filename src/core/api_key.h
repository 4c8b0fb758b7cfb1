/* API keys: "rgk_<8 base62 id>_<32 base62 secret>_<6 base62 CRC-32>". The checksum lets typos be
 * told from unknown keys offline; only the SHA-256 of the whole key is stored. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"

#define API_KEY_BYTES	    56 /* with NUL */
#define API_KEY_LABEL_BYTES 9  /* the public id part, with NUL */

enum api_scope { SCOPE_READ = 1 << 0, SCOPE_RUN = 1 << 1, SCOPE_ADMIN = 1 << 2 };
#define SCOPE_ALL (SCOPE_READ | SCOPE_RUN | SCOPE_ADMIN)

/* Assembles a key from randomness drawn by the caller (label and secret are base62 text). */
void api_key_assemble(const char *label, const char *secret, char out[API_KEY_BYTES]);
/* Form and checksum; the label on success. */
bool api_key_check(const char *key, char ret_label[API_KEY_LABEL_BYTES]);
