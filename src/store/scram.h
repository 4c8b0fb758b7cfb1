/* What PostgreSQL keeps of a password: a SCRAM-SHA-256 verifier (RFC 5802, RFC 7677). Computed
 * here, so that the password itself never stands in a statement, and thus in no log. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SCRAM_ITERATIONS     4096 /* PostgreSQL's own */
#define SCRAM_SALT_BYTES     16
#define SCRAM_VERIFIER_BYTES 160 /* with NUL */

/* `password` must be ASCII: nothing is normalized. */
void scram_verifier(const char *password, const uint8_t salt[SCRAM_SALT_BYTES],
		    char ret[SCRAM_VERIFIER_BYTES]);
/* With a random salt. */
void scram_verifier_random(const char *password, char ret[SCRAM_VERIFIER_BYTES]);
