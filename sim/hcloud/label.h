/* What labels and names may look like. Pure. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "hcloud/problem.h"

#define LABEL_NAME_BYTES_MAX   63
#define LABEL_PREFIX_BYTES_MAX 253

/* [prefix/]name: the prefix a DNS subdomain, the name alphanumeric at both ends with - _ . inside.
 */
bool label_key_is_valid(const char *key, size_t bytes);
/* Empty, or as the name of a key. */
bool label_value_is_valid(const char *value, size_t bytes);
/* An object of such keys and values; "hetzner.cloud/" is reserved. */
MUST_CHECK int labels_check(const json_t *labels, struct problem *problem);
/* RFC 1123: labels of letters, digits and -, joined by dots; as the names of servers must be. */
bool hostname_is_valid(const char *name);
