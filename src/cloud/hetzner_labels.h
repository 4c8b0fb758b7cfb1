/* Labels as the API takes them. */
#pragma once

#include "base/json.h"
#include "cloud/hetzner.h"

/* A new reference; labels may be NULL: none. */
json_t *hetzner_labels_json(const struct hetzner_labels *labels);
