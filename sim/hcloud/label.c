#include "hcloud/label.h"

#include <stdint.h>
#include <string.h>

#define HOSTNAME_BYTES_MAX	 253
#define HOSTNAME_LABEL_BYTES_MAX 63
#define RESERVED_PREFIX		 "hetzner.cloud/"

static bool is_alphanumeric(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool label_value_is_valid(const char *value, size_t bytes)
{
	if (bytes == 0)
		return true;
	if (bytes > LABEL_NAME_BYTES_MAX || !is_alphanumeric(value[0]) ||
	    !is_alphanumeric(value[bytes - 1]))
		return false;
	for (size_t i = 0; i < bytes; i++) {
		if (!is_alphanumeric(value[i]) && value[i] != '-' && value[i] != '_' &&
		    value[i] != '.')
			return false;
	}
	return true;
}

/* Labels of letters, digits and '-' that neither begin nor end with '-', joined by dots. */
static bool is_subdomain(const char *text, size_t bytes)
{
	size_t label_bytes = 0;

	if (bytes == 0)
		return false;
	for (size_t i = 0; i < bytes; i++) {
		if (text[i] == '.') {
			if (label_bytes == 0 || text[i - 1] == '-')
				return false;
			label_bytes = 0;
			continue;
		}
		if (!is_alphanumeric(text[i]) && (text[i] != '-' || label_bytes == 0))
			return false;
		if (++label_bytes > HOSTNAME_LABEL_BYTES_MAX)
			return false;
	}
	return label_bytes > 0 && text[bytes - 1] != '-';
}

bool label_key_is_valid(const char *key, size_t bytes)
{
	const char *slash = memchr(key, '/', bytes);

	if (slash) {
		size_t prefix_bytes = (size_t)(slash - key);

		if (prefix_bytes > LABEL_PREFIX_BYTES_MAX || !is_subdomain(key, prefix_bytes))
			return false;
		key = slash + 1;
		bytes -= prefix_bytes + 1;
	}
	return bytes > 0 && label_value_is_valid(key, bytes);
}

int labels_check(const json_t *labels, struct problem *problem)
{
	const char *key;
	json_t *value;

	if (!json_is_object(labels))
		return problem_invalid(problem, "labels", "Not a valid mapping type.");
	json_object_foreach ((json_t *)(uintptr_t)labels, key, value) {
		if (!label_key_is_valid(key, strlen(key)))
			return problem_invalid(problem, "labels", "label key '%s' is not valid",
					       key);
		if (strncmp(key, RESERVED_PREFIX, strlen(RESERVED_PREFIX)) == 0)
			return problem_invalid(problem, "labels", "label key '%s' is reserved",
					       key);
		if (!json_is_string(value) ||
		    !label_value_is_valid(json_string_value(value), json_string_length(value)))
			return problem_invalid(problem, "labels",
					       "label value of '%s' is not valid", key);
	}
	return 0;
}

bool hostname_is_valid(const char *name)
{
	size_t bytes = strlen(name);

	return bytes <= HOSTNAME_BYTES_MAX && is_subdomain(name, bytes);
}
