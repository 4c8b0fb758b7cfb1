/* Label selectors: "k=v", "k==v", "k!=v", "k", "!k", "k in (a,b)", "k notin (a,b)", joined by
 * commas, all of which must hold. The empty selector matches everything. Pure. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

struct selector; /* borrows nothing of the text */

#define SELECTOR_ERROR_BYTES 96
/* "expected comma at pos 75" is written to error_text, and -1 returned, when it is not one. */
MUST_CHECK int selector_parse(const char *text, struct selector **ret,
			      char error_text[SELECTOR_ERROR_BYTES]);
void selector_free(struct selector *selector);
void cleanup_selector(struct selector **selector);
/* `labels`: an object of strings, or NULL for none. */
bool selector_matches(const struct selector *selector, const json_t *labels);
