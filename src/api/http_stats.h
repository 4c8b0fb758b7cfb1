/* How many requests took how long, by route and status, for /metrics. Lock-free. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct http_stats;

struct http_stats *http_stats_new(void);
void http_stats_free(struct http_stats *stats);
/* `route` is an index of routes.h, or ROUTE_COUNT for requests that no route took. */
void http_stats_count(struct http_stats *stats, size_t route, unsigned status,
		      uint64_t duration_us);
/* Prometheus text of a histogram. */
void http_stats_print(const struct http_stats *stats, struct buf *out);
