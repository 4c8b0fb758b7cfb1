#include "base/encode.h"
#include "base/str.h"
#include "cli/job_view.h"
#include "cli/listing.h"
#include "core/job.h"
#include "core/limits.h"

#define QUERY_BYTES_MAX (32ULL * 1024)

/* The options that all lists share. */
struct list_options {
	struct listing_options listing;
	const char *state, *batch, *name;
	struct opt_list labels;
	bool include_ended;
};

#define LIST_OPTIONS(o)                                                                         \
	OPT_U64(0, "limit", "N", &(o).listing.limit, 1, LIMIT_PAGE, "At most N (default 100)"), \
		OPT_STR(0, "cursor", "CURSOR", &(o).listing.cursor,                             \
			"Go on where an earlier list ended", NULL),                             \
		OPT_FLAG('a', "all", &(o).listing.all, "All pages"),                            \
		OPT_FLAG('q', "quiet", &(o).listing.ids_only, "Print ids only"),                \
		OPT_FLAG(0, "json", &(o).listing.as_json, "Print JSON")

static void list_options_release(struct list_options *options)
{
	opt_list_release(&options->labels);
}

static int check_state(const char *state, struct error *err)
{
	const char *names[JOB_STATE_MAX];
	size_t count = 0;
	enum job_state parsed;
	const char *near;

	if (!state || job_state_parse(state, &parsed))
		return 0;
	for (int i = JOB_QUEUED; i < JOB_STATE_MAX; i++)
		names[count++] = job_state_name((enum job_state)i);
	near = str_suggest(state, names, count);
	error_set(err, ERR_INVALID, "there is no state \"%s\"", state);
	if (near)
		return error_hint(err, "did you mean \"%s\"?", near);
	return error_hint(err, "queued, running, completed, failed or cancelled");
}

static void add_parameter(struct buf *query, const char *name, const char *value)
{
	if (!value)
		return;
	buf_appendf(query, "&%s=", name);
	url_encode(query, value, false);
}

static int list(struct verb_call *call, struct list_options *options, struct error *err)
{
	CLEANUP(cleanup_session) struct session session = {0};
	CLEANUP(cleanup_buf) struct buf query = {0};

	buf_init(&query, QUERY_BYTES_MAX);
	add_parameter(&query, "state", options->state);
	add_parameter(&query, "batch", options->batch);
	add_parameter(&query, "name", options->name);
	if (options->include_ended)
		add_parameter(&query, "all", "1");
	for (size_t i = 0; i < options->labels.count; i++)
		add_parameter(&query, "label", options->labels.items[i]);
	if (query.overflowed)
		return error_set(err, ERR_TOO_LARGE, "too many filters");
	options->listing.query = query.data;
	if (session_open(call, &session, err) != 0)
		return -1;
	return listing_print(&session, &options->listing, err);
}

int verb_list(struct verb_call *call, struct error *err)
{
	CLEANUP(list_options_release)
	struct list_options o = {
		.listing = {.path = "/api/v1/jobs", .view = view_jobs, .nothing = "no jobs"}};
	const struct opt options[] = {
		OPT_STR('s', "state", "STATE", &o.state,
			"Only queued, running, completed, failed or cancelled ones",
			"queued running completed failed cancelled"),
		OPT_LIST('l', "label", "K=V", &o.labels, "Only those with this label", NULL),
		OPT_STR('b', "batch", "ID", &o.batch, "Only those of this batch", "batch"),
		OPT_STR('n', "name", "NAME", &o.name, "Only those of this name", NULL),
		LIST_OPTIONS(o),
	};
	struct opt_command command = {
		.synopsis = "[options]",
		.examples = "  rgrid list --state failed --label team=x\n"
			    "  rgrid list --batch last --state failed --quiet\n",
		.options = options,
		.option_count = ARRAY_SIZE(options),
	};
	int parsed = verb_parse(call, &command, 0, 0, err);

	if (parsed <= 0)
		return parsed;
	return check_state(o.state, err) != 0 ? -1 : list(call, &o, err);
}

int verb_batch_list(struct verb_call *call, struct error *err)
{
	CLEANUP(list_options_release)
	struct list_options o = {.listing = {.path = "/api/v1/batches",
					     .view = view_batches,
					     .nothing = "no batches"}};
	const struct opt options[] = {LIST_OPTIONS(o)};
	struct opt_command command = {
		.synopsis = "[options]",
		.options = options,
		.option_count = ARRAY_SIZE(options),
	};
	int parsed = verb_parse(call, &command, 0, 0, err);

	return parsed <= 0 ? parsed : list(call, &o, err);
}

int verb_worker_list(struct verb_call *call, struct error *err)
{
	CLEANUP(list_options_release)
	struct list_options o = {.listing = {.path = "/api/v1/workers",
					     .view = view_workers,
					     .nothing = "no workers"}};
	const struct opt options[] = {
		OPT_FLAG('a', "all", &o.include_ended, "Also those that have ended"),
		OPT_FLAG('q', "quiet", &o.listing.ids_only, "Print ids only"),
		OPT_FLAG(0, "json", &o.listing.as_json, "Print JSON"),
	};
	struct opt_command command = {
		.synopsis = "[options]",
		.options = options,
		.option_count = ARRAY_SIZE(options),
	};
	int parsed = verb_parse(call, &command, 0, 0, err);

	if (parsed <= 0)
		return parsed;
	o.listing.limit = LIMIT_PAGE;
	return list(call, &o, err);
}
