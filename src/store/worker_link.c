#include "store/worker_link.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/str.h"
#include "core/limits.h"
#include "store/pg_binary.h"
#include "store/pipeline.h"
#include "store/queries.h"

/* Jobs that come back with an old id (retries, releases) lie below the floor; so often the scan
 * starts at the very beginning although there is enough above. */
#define FLOOR_LIFE_MS 1000

static const struct pg_statement *const statements[] = {
	&query_worker_join,	  &query_worker_step,	       &query_worker_heartbeat,
	&query_worker_log_append, &query_worker_artifacts_add, &query_worker_release,
	&query_worker_leave,
};

static const char *const channels[] = {"rg_wake", "rg_kill", NULL};

struct worker_link {
	struct worker_link_options options;
	struct pipeline *pipeline;
	int64_t worker_id;   /* of the last join; 0 before */
	int32_t incarnation; /* likewise */
	int64_t floor;	     /* below it the last steps found nothing: the next scan starts there */
	uint64_t floor_ms;   /* when it was last at the start */
};

/* One call in flight: where its answer goes. */
struct request {
	struct worker_link *link;
	void *context;
	size_t completion_count; /* of a step */
	size_t want;
	union {
		worker_joined_fn joined;
		worker_stepped_fn stepped;
		worker_beaten_fn beaten;
		worker_verdict_fn verdict;
		worker_left_fn left;
	} callback;
};

static struct request *request_new(struct worker_link *link, void *context)
{
	struct request *request = xcalloc(1, sizeof(*request));

	request->link = link;
	request->context = context;
	return request;
}

static void on_up(void *context)
{
	struct worker_link *link = context;

	link->options.on_up(link->options.context);
}

static void on_down(void *context, const struct error *err)
{
	struct worker_link *link = context;

	link->options.on_down(link->options.context, err);
}

/* A payload names the one worker that is meant; without one all are. */
static bool is_for_us(const struct worker_link *link, const char *payload)
{
	int64_t worker_id;
	struct error err;

	return payload[0] == '\0' || parse_i64(payload, 1, INT64_MAX, &worker_id, &err) < 0 ||
	       worker_id == link->worker_id;
}

static void on_notify(void *context, const char *channel, const char *payload)
{
	struct worker_link *link = context;

	if (!is_for_us(link, payload))
		return;
	if (strcmp(channel, channels[0]) == 0)
		link->options.on_wake(link->options.context);
	else if (strcmp(channel, channels[1]) == 0)
		link->options.on_kill(link->options.context);
}

int worker_link_new(const struct worker_link_options *options, struct worker_link **ret,
		    struct error *err)
{
	struct worker_link *link = xcalloc(1, sizeof(*link));
	const struct pipeline_options pipeline_options = {
		.event = options->event,
		.conninfo = options->conninfo,
		.application_name = "rgrid-worker",
		.statements = statements,
		.statement_count = ARRAY_SIZE(statements),
		.channels = channels,
		.context = link,
		.on_up = on_up,
		.on_down = on_down,
		.on_notify = on_notify,
	};

	link->options = *options;
	if (pipeline_new(&pipeline_options, &link->pipeline, err) < 0) {
		free(link);
		return -1;
	}
	*ret = link;
	return 0;
}

void worker_link_free(struct worker_link *link)
{
	if (!link)
		return;
	pipeline_free(link->pipeline);
	free(link);
}

bool worker_link_is_up(const struct worker_link *link)
{
	return pipeline_is_up(link->pipeline);
}

uint64_t worker_link_group(const struct worker_link *link)
{
	return pipeline_group(link->pipeline);
}

static void put_leases(struct pg_args *args, const struct lease_id *leases, size_t count)
{
	pg_args_array(args, PG_INT8, count);
	for (size_t i = 0; i < count; i++)
		pg_args_put_i64(args, leases[i].job_id);
	pg_args_array(args, PG_INT4, count);
	for (size_t i = 0; i < count; i++)
		pg_args_put_i32(args, leases[i].attempt);
	pg_args_array(args, PG_INT8, count);
	for (size_t i = 0; i < count; i++)
		pg_args_put_i64(args, leases[i].token);
}

static void put_lease(struct pg_args *args, const struct lease_id *lease)
{
	pg_args_i64(args, lease->job_id);
	pg_args_i32(args, lease->attempt);
	pg_args_i64(args, lease->token);
}

static int64_t clamp_i64(uint64_t value)
{
	return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

static void answered_join(void *context, const PGresult *result, const struct error *failure)
{
	struct request *request = context;
	struct error err;
	struct pg_fields fields = {.result = result, .err = &err};
	int64_t worker_id = 0;
	int32_t incarnation = 0;

	if (result) {
		worker_id = pg_field_i64(&fields, 0, 0);
		incarnation = pg_field_i32(&fields, 0, 1);
		if (fields.failed)
			failure = &err;
	}
	if (failure) {
		request->callback.joined(request->context, 0, 0, failure);
		return;
	}
	request->link->worker_id = worker_id;
	request->link->incarnation = incarnation;
	request->callback.joined(request->context, worker_id, incarnation, NULL);
}

void worker_link_join(struct worker_link *link, const struct worker_join *join,
		      worker_joined_fn callback, void *context)
{
	CLEANUP(cleanup_pg_args) struct pg_args args;
	struct request *request = request_new(link, context);
	size_t count = 0;

	request->callback.joined = callback;
	while (join->unenforced[count])
		count++;
	pg_args_init(&args);
	pg_args_i32(&args, (int32_t)join->slots);
	pg_args_i32(&args, (int32_t)join->cpu_millis);
	pg_args_i64(&args, clamp_i64(join->memory_bytes));
	pg_args_text(&args, join->hostname);
	pg_args_text(&args, join->version);
	pg_args_array(&args, PG_TEXT, count);
	for (size_t i = 0; i < count; i++)
		pg_args_put_text(&args, join->unenforced[i]);
	pg_args_bytes(&args, join->blob_key_sha256, sizeof(join->blob_key_sha256));
	pipeline_call(link->pipeline, &query_worker_join, &args, true, answered_join, request);
}

enum step_kind { STEP_VERDICT = 1, STEP_CLAIM = 2 };

static bool verdict_is_known(int16_t verdict)
{
	return verdict >= VERDICT_RECORDED && verdict <= VERDICT_LOST;
}

static void read_claim(struct pg_fields *fields, int row, struct worker_claim *ret)
{
	ret->lease.job_id = pg_field_i64(fields, row, 1);
	ret->lease.attempt = pg_field_i32(fields, row, 2);
	ret->lease.token = pg_field_i64(fields, row, 3);
	if (!pg_field_is_null(fields, row, 5))
		ret->batch_id = pg_field_i64(fields, row, 5);
	if (!pg_field_is_null(fields, row, 6))
		ret->batch_index = pg_field_i32(fields, row, 6);
	ret->spec = pg_field_text(fields, row, 7, &ret->spec_bytes);
}

struct step_answer {
	enum worker_verdict *verdicts;
	struct worker_claim *claims;
	size_t verdict_count;
	size_t claim_count;
};

/* Verdicts first, one for each completion, then at most as many claims as were wanted. */
static int read_step(const struct request *request, const PGresult *result,
		     struct step_answer *answer, struct error *err)
{
	struct pg_fields fields = {.result = result, .err = err};
	int rows = PQntuples(result);

	if ((size_t)rows > request->completion_count + request->want)
		return error_set(err, ERR_INTERNAL, "the database answered a step with %d rows",
				 rows);
	for (int row = 0; row < rows && !fields.failed; row++) {
		int16_t kind = pg_field_i16(&fields, row, 0);

		if (kind == STEP_VERDICT && answer->verdict_count < request->completion_count) {
			int16_t verdict = pg_field_i16(&fields, row, 4);

			if (!fields.failed && !verdict_is_known(verdict))
				return error_set(err, ERR_INTERNAL, "unknown verdict %d", verdict);
			answer->verdicts[answer->verdict_count++] = (enum worker_verdict)verdict;
		} else if (kind == STEP_CLAIM && answer->claim_count < request->want) {
			read_claim(&fields, row, &answer->claims[answer->claim_count++]);
		} else if (!fields.failed) {
			return error_set(err, ERR_INTERNAL, "a step's row %d does not fit", row);
		}
	}
	if (fields.failed)
		return -1;
	if (answer->verdict_count != request->completion_count)
		return error_set(err, ERR_INTERNAL, "%zu verdicts for %zu completions",
				 answer->verdict_count, request->completion_count);
	return 0;
}

/* A short answer means that nothing is left above the floor: the next scan starts anew. */
static void move_floor(struct worker_link *link, size_t want, const struct step_answer *answer)
{
	uint64_t now_ms = clock_boottime_ms();

	if (want == 0)
		return;
	if (answer->claim_count < want || now_ms - link->floor_ms >= FLOOR_LIFE_MS) {
		link->floor = 0;
		link->floor_ms = now_ms;
		return;
	}
	for (size_t i = 0; i < answer->claim_count; i++) {
		if (answer->claims[i].lease.job_id > link->floor)
			link->floor = answer->claims[i].lease.job_id;
	}
}

static void answered_step(void *context, const PGresult *result, const struct error *failure)
{
	struct request *request = context;
	struct step_answer answer = {0};
	struct error err;

	if (!result) {
		request->callback.stepped(request->context, NULL, 0, NULL, 0, failure);
		return;
	}
	answer.verdicts = xcalloc(request->completion_count + 1, sizeof(*answer.verdicts));
	answer.claims = xcalloc(request->want + 1, sizeof(*answer.claims));
	if (read_step(request, result, &answer, &err) < 0) {
		request->callback.stepped(request->context, NULL, 0, NULL, 0, &err);
	} else {
		move_floor(request->link, request->want, &answer);
		request->callback.stepped(request->context, answer.verdicts, answer.verdict_count,
					  answer.claims, answer.claim_count, NULL);
	}
	free(answer.verdicts);
	free(answer.claims);
}

#define PUT_COLUMN(args, type, count, put, value)       \
	do {                                            \
		pg_args_array((args), (type), (count)); \
		for (size_t i = 0; i < (count); i++)    \
			put((args), (value));           \
	} while (0)

static void put_completions(struct pg_args *args, const struct worker_completion *completions,
			    size_t count)
{
	const struct worker_completion *all = completions;

	PUT_COLUMN(args, PG_INT8, count, pg_args_put_i64, all[i].lease.job_id);
	PUT_COLUMN(args, PG_INT4, count, pg_args_put_i32, all[i].lease.attempt);
	PUT_COLUMN(args, PG_INT8, count, pg_args_put_i64, all[i].lease.token);
	PUT_COLUMN(args, PG_INT2, count, pg_args_put_i16, (int16_t)all[i].outcome);
	PUT_COLUMN(args, PG_INT4, count, pg_args_put_i32, all[i].exit_code);
	PUT_COLUMN(args, PG_TEXT, count, pg_args_put_text, all[i].message);
	PUT_COLUMN(args, PG_BOOL, count, pg_args_put_bool, all[i].started);
	PUT_COLUMN(args, PG_INT8, count, pg_args_put_i64, clamp_i64(all[i].run_us));
	PUT_COLUMN(args, PG_INT8, count, pg_args_put_i64, clamp_i64(all[i].cpu_us));
	PUT_COLUMN(args, PG_INT8, count, pg_args_put_i64, clamp_i64(all[i].memory_peak_bytes));
	PUT_COLUMN(args, PG_INT8, count, pg_args_put_i64, clamp_i64(all[i].stdout_bytes));
	PUT_COLUMN(args, PG_INT8, count, pg_args_put_i64, clamp_i64(all[i].stderr_bytes));
	PUT_COLUMN(args, PG_TEXT, count, pg_args_put_text, all[i].unenforced);
}

void worker_link_step(struct worker_link *link, const struct worker_completion *completions,
		      size_t count, size_t want, worker_stepped_fn callback, void *context)
{
	CLEANUP(cleanup_pg_args) struct pg_args args;
	struct request *request = request_new(link, context);

	CHECK(count <= LIMIT_STEP_COUNT);
	CHECK(want <= LIMIT_STEP_COUNT);
	request->callback.stepped = callback;
	request->completion_count = count;
	request->want = want;
	pg_args_init(&args);
	pg_args_i32(&args, link->incarnation);
	put_completions(&args, completions, count);
	pg_args_i32(&args, (int32_t)want);
	pg_args_i64(&args, link->floor);
	pipeline_call(link->pipeline, &query_worker_step, &args, false, answered_step, request);
}

static void answered_heartbeat(void *context, const PGresult *result, const struct error *failure)
{
	struct request *request = context;
	struct error err;
	struct pg_fields fields = {.result = result, .err = &err};
	struct worker_kill *kills = NULL;
	size_t count = 0;
	bool drain = false;

	if (result) {
		int rows = PQntuples(result);

		drain = pg_field_bool(&fields, 0, 3);
		kills = xcalloc((size_t)rows + 1, sizeof(*kills));
		for (int row = 1; row < rows; row++) {
			kills[count].job_id = pg_field_i64(&fields, row, 0);
			kills[count].attempt = pg_field_i32(&fields, row, 1);
			kills[count].cancelled = pg_field_bool(&fields, row, 2);
			count++;
		}
		if (fields.failed)
			failure = &err;
	}
	if (failure)
		request->callback.beaten(request->context, NULL, 0, false, failure);
	else
		request->callback.beaten(request->context, kills, count, drain, NULL);
	free(kills);
}

void worker_link_heartbeat(struct worker_link *link, const struct lease_id *held, size_t count,
			   worker_beaten_fn callback, void *context)
{
	CLEANUP(cleanup_pg_args) struct pg_args args;
	struct request *request = request_new(link, context);

	request->callback.beaten = callback;
	pg_args_init(&args);
	pg_args_i32(&args, link->incarnation);
	put_leases(&args, held, count);
	/* Alone: it does not wait for the disk, which must not spread to what commits with it. */
	pipeline_call(link->pipeline, &query_worker_heartbeat, &args, true, answered_heartbeat,
		      request);
}

static void answered_verdict(void *context, const PGresult *result, const struct error *failure)
{
	struct request *request = context;
	struct error err;
	struct pg_fields fields = {.result = result, .err = &err};
	int16_t verdict = 0;

	if (result) {
		verdict = pg_field_i16(&fields, 0, 0);
		if (!fields.failed && !verdict_is_known(verdict)) {
			fields.failed = true;
			(void)error_set(&err, ERR_INTERNAL, "unknown verdict %d", verdict);
		}
		if (fields.failed)
			failure = &err;
	}
	if (failure)
		request->callback.verdict(request->context, VERDICT_LOST, failure);
	else
		request->callback.verdict(request->context, (enum worker_verdict)verdict, NULL);
}

static void call_for_verdict(struct worker_link *link, const struct pg_statement *statement,
			     const struct pg_args *args, worker_verdict_fn callback, void *context)
{
	struct request *request = request_new(link, context);

	request->callback.verdict = callback;
	pipeline_call(link->pipeline, statement, args, false, answered_verdict, request);
}

void worker_link_log(struct worker_link *link, const struct worker_log_chunk *chunk,
		     worker_verdict_fn callback, void *context)
{
	CLEANUP(cleanup_pg_args) struct pg_args args;

	CHECK(chunk->bytes <= LIMIT_LOG_CHUNK_BYTES);
	pg_args_init(&args);
	pg_args_i32(&args, link->incarnation);
	put_lease(&args, &chunk->lease);
	pg_args_i32(&args, chunk->seq);
	pg_args_i16(&args, (int16_t)chunk->stream);
	pg_args_i64(&args, clamp_i64(chunk->start));
	pg_args_bytes(&args, chunk->data, chunk->bytes);
	call_for_verdict(link, &query_worker_log_append, &args, callback, context);
}

void worker_link_artifacts(struct worker_link *link, const struct lease_id *lease,
			   const struct worker_artifact *artifacts, size_t count,
			   worker_verdict_fn callback, void *context)
{
	CLEANUP(cleanup_pg_args) struct pg_args args;
	const struct worker_artifact *all = artifacts;

	CHECK(count <= LIMIT_ARTIFACTS_COUNT);
	pg_args_init(&args);
	pg_args_i32(&args, link->incarnation);
	put_lease(&args, lease);
	PUT_COLUMN(&args, PG_TEXT, count, pg_args_put_text, all[i].path);
	pg_args_array(&args, PG_BYTEA, count);
	for (size_t i = 0; i < count; i++)
		pg_args_put_bytes(&args, artifacts[i].blob, sizeof(artifacts[i].blob));
	PUT_COLUMN(&args, PG_INT8, count, pg_args_put_i64, clamp_i64(all[i].size_bytes));
	PUT_COLUMN(&args, PG_BOOL, count, pg_args_put_bool, all[i].executable);
	call_for_verdict(link, &query_worker_artifacts_add, &args, callback, context);
}

void worker_link_release(struct worker_link *link, const struct lease_id *leases, size_t count,
			 worker_verdict_fn callback, void *context)
{
	CLEANUP(cleanup_pg_args) struct pg_args args;

	pg_args_init(&args);
	pg_args_i32(&args, link->incarnation);
	put_leases(&args, leases, count);
	call_for_verdict(link, &query_worker_release, &args, callback, context);
}

static void answered_leave(void *context, const PGresult *result, const struct error *failure)
{
	struct request *request = context;
	struct error err;
	struct pg_fields fields = {.result = result, .err = &err};
	int16_t leaving = LEAVING_WAIT;

	if (result) {
		leaving = pg_field_i16(&fields, 0, 0);
		if (!fields.failed && (leaving < LEAVING_DONE || leaving > LEAVING_WAIT)) {
			fields.failed = true;
			(void)error_set(&err, ERR_INTERNAL, "unknown answer %d to leaving",
					leaving);
		}
		if (fields.failed)
			failure = &err;
	}
	request->callback.left(request->context,
			       failure ? LEAVING_WAIT : (enum worker_leaving)leaving, failure);
}

void worker_link_leave(struct worker_link *link, const char *reason, bool if_drained,
		       worker_left_fn callback, void *context)
{
	CLEANUP(cleanup_pg_args) struct pg_args args;
	struct request *request = request_new(link, context);

	request->callback.left = callback;
	pg_args_init(&args);
	pg_args_i32(&args, link->incarnation);
	pg_args_text(&args, reason);
	pg_args_bool(&args, if_drained);
	pipeline_call(link->pipeline, &query_worker_leave, &args, false, answered_leave, request);
}
