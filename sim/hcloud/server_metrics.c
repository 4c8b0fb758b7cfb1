#include "hcloud/server_metrics.h"

#include <inttypes.h>

#include "base/check.h"
#include "base/error.h"
#include "base/str.h"

#define US_PER_S	INT64_C(1000000)
#define KEPT_S		(INT64_C(30) * 24 * 3600)
#define SAMPLES_DEFAULT 200
#define SAMPLES_MAX	500
#define RIPPLE_SAMPLES	5
#define VALUE_BYTES	24

static const struct {
	const char *type;
	const char *series;
} known[] = {
	{"cpu", "cpu"},
	{"disk", "disk.0.iops.read"},
	{"disk", "disk.0.iops.write"},
	{"disk", "disk.0.bandwidth.read"},
	{"disk", "disk.0.bandwidth.write"},
	{"network", "network.0.pps.in"},
	{"network", "network.0.pps.out"},
	{"network", "network.0.bandwidth.in"},
	{"network", "network.0.bandwidth.out"},
};

/* From when to when, in seconds since 1970, and how far apart. */
struct span {
	int64_t start_s;
	int64_t end_s;
	int64_t step_s;
};

static int read_time(struct call *call, const char *name, int64_t *ret_s)
{
	const char *text = query_get(&call->query, name);
	int64_t wall_us;

	if (!text)
		return problem_invalid(&call->problem, name, "Missing data for required field.");
	if (!vclock_parse(text, &wall_us))
		return problem_invalid(&call->problem, name, "Not a valid datetime.");
	*ret_s = wall_us / US_PER_S;
	return 0;
}

/* So far apart that there are not more samples than that. */
static int64_t least_step(const struct span *span, int64_t samples)
{
	int64_t step_s = (span->end_s - span->start_s + samples - 1) / samples;

	return step_s > 0 ? step_s : 1;
}

static int read_span(struct call *call, struct span *ret)
{
	const char *step = query_get(&call->query, "step");
	uint64_t step_s = 0;
	struct error err;

	if (read_time(call, "start", &ret->start_s) < 0 || read_time(call, "end", &ret->end_s) < 0)
		return -1;
	if (ret->end_s <= ret->start_s)
		return problem_invalid(&call->problem, "end", "must be after start");
	if (step && parse_u64(step, 1, INT32_MAX, &step_s, &err) < 0)
		return problem_invalid(&call->problem, "step", "Not a valid integer.");
	ret->step_s = step ? (int64_t)step_s : least_step(ret, SAMPLES_DEFAULT);
	if (ret->step_s < least_step(ret, SAMPLES_MAX))
		ret->step_s = least_step(ret, SAMPLES_MAX);
	return 0;
}

static json_t *samples_of(const struct span *span, int64_t now_s)
{
	json_t *samples = json_array();

	for (int64_t i = 0; span->start_s + i * span->step_s < span->end_s; i++) {
		int64_t at_s = span->start_s + i * span->step_s;
		char value[VALUE_BYTES];

		if (at_s < now_s - KEPT_S || at_s > now_s)
			continue;
		(void)snprintf(value, sizeof(value), "0.%" PRId64, i % RIPPLE_SAMPLES);
		(void)json_array_append_new(samples, json_pack("[I,s]", (json_int_t)at_s, value));
	}
	return samples;
}

/* Adds the series of one type; false when there is none. */
static bool add_series(json_t *series, const char *type, const struct span *span, int64_t now_s)
{
	bool is_known = false;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (!str_eq(known[i].type, type))
			continue;
		is_known = true;
		doc_set(series, known[i].series,
			json_pack("{s:o}", "values", samples_of(span, now_s)));
	}
	return is_known;
}

/* "cpu,disk": types between commas, and as often as there are parameters. */
static int add_all(struct call *call, const struct span *span, json_t *series)
{
	int64_t now_s = vclock_now_us(&call->sim->clock) / US_PER_S;

	for (size_t i = 0; i < call->query.count; i++) {
		const char *rest = call->query.items[i].value;

		while (str_eq(call->query.items[i].name, "type") && *rest) {
			size_t bytes = strcspn(rest, ",");
			CLEANUP(cleanup_free) char *type = xstrndup(rest, bytes);

			if (!add_series(series, type, span, now_s))
				return problem_invalid(&call->problem, "type",
						       "Not a valid choice.");
			rest += bytes + (rest[bytes] == ',');
		}
	}
	if (json_object_size(series) == 0)
		return problem_invalid(&call->problem, "type", "Missing data for required field.");
	return 0;
}

static int metrics(struct call *call)
{
	char start[VCLOCK_TEXT_BYTES];
	char end[VCLOCK_TEXT_BYTES];
	struct span span;

	if (!call_find(call, KIND_SERVER, 0) || read_span(call, &span) < 0)
		return -1;
	json_t *series = json_object();
	if (add_all(call, &span, series) < 0) {
		json_decref(series);
		return -1;
	}
	return call_reply(call, 200,
			  json_pack("{s:{s:s,s:s,s:I,s:o}}", "metrics", "start",
				    vclock_format(span.start_s * US_PER_S, start), "end",
				    vclock_format(span.end_s * US_PER_S, end), "step",
				    (json_int_t)span.step_s, "time_series", series));
}

const struct route server_metrics_routes[] = {
	{"GET", "/servers/{id}/metrics", metrics},
	{NULL, NULL, NULL},
};
