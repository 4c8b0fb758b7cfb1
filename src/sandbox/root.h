/* The root directory that jobs see: an allow-list. A small directory of ours with the host's /usr and
 * the few parts of /etc that programs need bound read-only, the usual links into /usr, empty mount
 * points, and a passwd of its own. Nothing else of the host is there. Built once in the enclosure;
 * all slots share it, read-only. */
#pragma once

#include "base/error.h"

MUST_CHECK int root_build(const char *path, struct error *err);
