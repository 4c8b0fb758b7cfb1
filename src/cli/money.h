/* Money as users write and read it; inside it is integer micro-euros. */
#pragma once

#include <stdint.h>

#include "base/error.h"

#define MONEY_BYTES 40

/* "50", "50.50", "€50", "EUR 50", "0.0088": micro-euros, at most `max`. ERR_INVALID. */
MUST_CHECK int money_parse(const char *text, uint64_t max, uint64_t *ret_micros, struct error *err);
/* "€12.34"; below a euro with as many digits as it takes: "€0.0088". Returns out. */
const char *money_format(int64_t micros, char out[MONEY_BYTES]);
