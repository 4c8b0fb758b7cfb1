/* Any text as a label selector: it is refused with a place, or matches as its negation does not. */
#include <stdint.h>

#include "base/check.h"
#include "base/error.h"
#include "hcloud/selector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	CLEANUP(cleanup_free) char *text = xstrndup((const char *)data, bytes);
	CLEANUP(cleanup_selector) struct selector *selector = NULL;
	char problem[SELECTOR_ERROR_BYTES] = "";

	if (selector_parse(text, &selector, problem) < 0) {
		CHECK(strstr(problem, " at pos ") != NULL);
		return 0;
	}
	json_t *labels = json_pack("{s:s,s:s}", "a", "b", "in", "");
	(void)selector_matches(selector, labels);
	(void)selector_matches(selector, NULL);
	json_decref(labels);
	return 0;
}
