#include "cloud/hetzner.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/str.h"

const char *hetzner_label_get(const struct hetzner_labels *labels, const char *key)
{
	for (size_t i = 0; i < labels->count; i++) {
		if (str_eq(labels->items[i].key, key))
			return labels->items[i].value;
	}
	return NULL;
}

static bool is_alphanumeric(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Values: at most 63 of [A-Za-z0-9-_.], alphanumeric at both ends, also after cutting. */
static void clean_value(const char *value, char out[64])
{
	size_t bytes = 0;

	for (; *value != '\0' && bytes < 63; value++) {
		bool fits = is_alphanumeric(*value) || strchr("-_.", *value) != NULL;
		char c = fits ? *value : '-';
		if (bytes > 0 || is_alphanumeric(c))
			out[bytes++] = c;
	}
	while (bytes > 0 && !is_alphanumeric(out[bytes - 1]))
		bytes--;
	out[bytes] = '\0';
}

void hetzner_label_set(struct hetzner_labels *labels, const char *key, const char *value)
{
	size_t place = 0;

	while (place < labels->count && !str_eq(labels->items[place].key, key))
		place++;
	CHECK(strlen(key) < HETZNER_LABEL_BYTES);
	if (place == HETZNER_LABELS_MAX) {
		labels->omitted++;
		return;
	}
	(void)snprintf(labels->items[place].key, HETZNER_LABEL_BYTES, "%s", key);
	clean_value(value, labels->items[place].value);
	if (place == labels->count)
		labels->count++;
}
