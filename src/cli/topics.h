/* What is to be said about rgrid that belongs to no single verb: printed by `rgrid help TOPIC`, and
 * as sections of the manual page. */
#pragma once

#include <stddef.h>

struct topic {
	const char *name;
	const char *heading;
	const char *text; /* paragraphs separated by an empty line */
};

size_t topic_count(void);
const struct topic *topic_at(size_t index);
