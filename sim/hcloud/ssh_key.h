/* SSH keys: the simplest resource, and the pattern for others. */
#pragma once

#include "hcloud/route.h"

extern const struct route ssh_key_routes[];
