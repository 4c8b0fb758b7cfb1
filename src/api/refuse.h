/* Refusals that name the field at fault, in their text as well as in "errors". */
#pragma once

#include "base/error.h"

/* "FIELD text": `format` begins with a verb ("must be …"). ERR_INVALID; returns -1. */
PRINTF_FORMAT(3, 4) int refuse_field(struct error *err, const char *field, const char *format, ...);
/* Puts the field in front of an error that is there already. Returns -1. */
int refuse_value(struct error *err, const char *field);
