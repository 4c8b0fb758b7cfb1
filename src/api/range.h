/* The Range header (RFC 9110, section 14), one range of bytes. */
#pragma once

#include <stdint.h>

struct byte_range {
	uint64_t first;
	uint64_t bytes;
};

enum range_verdict {
	RANGE_WHOLE = 1,       /* none asked for, several, or a form to be ignored */
	RANGE_PART,	       /* *ret is set, within the content */
	RANGE_NOT_SATISFIABLE, /* outside of the content: 416 */
};

/* `header` may be NULL. */
enum range_verdict range_parse(const char *header, uint64_t content_bytes, struct byte_range *ret);
