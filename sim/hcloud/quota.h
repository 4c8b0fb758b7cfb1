/* How many of a kind a project may have. */
#pragma once

#include "hcloud/call.h"

/* 403 resource_limit_exceeded when there are `max` of them already, or as many as a fault says. */
MUST_CHECK int quota_check(struct call *call, enum kind kind, size_t max);
