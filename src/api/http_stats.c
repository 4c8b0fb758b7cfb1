#include "api/http_stats.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "api/routes.h"
#include "base/cleanup.h"

/* Statuses that we answer with; the first stands for all others. */
static const unsigned statuses[] = {0,	 200, 201, 204, 206, 304, 400, 401, 403, 404, 405,
				    409, 411, 413, 415, 416, 422, 429, 500, 503, 504, 507};
/* Upper bounds in microseconds, and as Prometheus is to see them. */
static const struct {
	uint64_t us;
	const char *text;
} bounds[] = {
	{1000, "0.001"},  {2500, "0.0025"}, {5000, "0.005"},  {10000, "0.01"}, {25000, "0.025"},
	{50000, "0.05"},  {100000, "0.1"},  {250000, "0.25"}, {500000, "0.5"}, {1000000, "1"},
	{2500000, "2.5"}, {5000000, "5"},   {10000000, "10"},
};

struct histogram {
	atomic_uint_least64_t counts[ARRAY_SIZE(bounds) + 1]; /* not cumulated */
	atomic_uint_least64_t sum_us;
};

struct http_stats {
	struct histogram histograms[ROUTE_COUNT + 1][ARRAY_SIZE(statuses)];
};

struct http_stats *http_stats_new(void)
{
	return xcalloc(1, sizeof(struct http_stats));
}

void http_stats_free(struct http_stats *stats)
{
	free(stats);
}

void http_stats_count(struct http_stats *stats, size_t route, unsigned status, uint64_t duration_us)
{
	size_t status_index = ARRAY_SIZE(statuses) - 1;
	size_t bound = 0;

	while (status_index > 0 && statuses[status_index] != status)
		status_index--;
	while (bound < ARRAY_SIZE(bounds) && duration_us > bounds[bound].us)
		bound++;
	struct histogram *histogram = &stats->histograms[route][status_index];
	atomic_fetch_add_explicit(&histogram->counts[bound], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&histogram->sum_us, duration_us, memory_order_relaxed);
}

static void print_histogram(const struct histogram *histogram, const char *labels, struct buf *out)
{
	static const char name[] = "rgrid_http_request_duration_seconds";
	uint64_t count = 0;
	uint64_t sum_us = atomic_load_explicit(&histogram->sum_us, memory_order_relaxed);

	for (size_t i = 0; i <= ARRAY_SIZE(bounds); i++) {
		count += atomic_load_explicit(&histogram->counts[i], memory_order_relaxed);
		buf_appendf(out, "%s_bucket{%s,le=\"%s\"} %" PRIu64 "\n", name, labels,
			    i < ARRAY_SIZE(bounds) ? bounds[i].text : "+Inf", count);
	}
	buf_appendf(out, "%s_sum{%s} %" PRIu64 ".%06" PRIu64 "\n", name, labels, sum_us / 1000000,
		    sum_us % 1000000);
	buf_appendf(out, "%s_count{%s} %" PRIu64 "\n", name, labels, count);
}

static bool is_empty(const struct histogram *histogram)
{
	for (size_t i = 0; i <= ARRAY_SIZE(bounds); i++) {
		if (atomic_load_explicit(&histogram->counts[i], memory_order_relaxed) > 0)
			return false;
	}
	return true;
}

void http_stats_print(const struct http_stats *stats, struct buf *out)
{
	static const char *const methods[] = {"", "GET", "POST", "PUT", "DELETE"};

	buf_append_str(out, "# HELP rgrid_http_request_duration_seconds Time from the first line "
			    "of a request to the start of its answer.\n"
			    "# TYPE rgrid_http_request_duration_seconds histogram\n");
	for (size_t route = 0; route <= ROUTE_COUNT; route++) {
		for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
			const struct histogram *histogram = &stats->histograms[route][i];
			char labels[160];

			if (is_empty(histogram))
				continue;
			(void)snprintf(
				labels, sizeof(labels), "method=\"%s\",route=\"%s\",code=\"%u\"",
				route < ROUTE_COUNT ? methods[routes[route].method] : "",
				route < ROUTE_COUNT ? routes[route].pattern : "none", statuses[i]);
			print_histogram(histogram, labels, out);
		}
	}
}
