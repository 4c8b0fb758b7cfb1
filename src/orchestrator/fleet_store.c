#include "orchestrator/fleet_store.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/encode.h"
#include "base/json.h"
#include "base/rand.h"
#include "base/str.h"
#include "conf/conninfo.h"
#include "core/billing.h"
#include "core/fleet_hour.h"
#include "orchestrator/fleet_rows.h"
#include "store/queries.h"
#include "store/scram.h"

#define PASSWORD_CHARS	   32
#define NAME_CHARS	   8 /* 40 random bits: names are unique, and a clash is refused */
#define HOLDER_CHARS	   16
#define READY_SAMPLE_COUNT 20000 /* of waiting jobs, looked at for their size */

struct fleet_store_pg {
	struct fleet_store_options options;
	char holder[HOLDER_CHARS + 1];
	int64_t fence;	 /* of the last lead */
	char *published; /* what the last publication said; NULL: none yet */
};

static int store_lead(void *context, struct fleet_lead *ret, struct error *err)
{
	struct fleet_store_pg *store = context;
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;

	pg_param_text(&params, store->holder);
	pg_param_i64(&params, FLEET_LEAD_MS);
	if (pg_run(store->options.pg, &query_fleet_lead, &params, &result, err) < 0)
		return -1;
	ret->leads = pg_get_bool(result, 0, 0);
	ret->fence = pg_get_i64(result, 0, 1);
	ret->now_us = pg_get_i64(result, 0, 2);
	store->fence = ret->fence;
	return 0;
}

/* One of the observation's statements, and what reads its rows. */
static int observe_part(struct pg *pg, const struct pg_statement *statement,
			const struct pg_params *params,
			void (*read)(const PGresult *result, struct fleet_world *world),
			struct fleet_world *world, struct error *err)
{
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;

	if (pg_run(pg, statement, params, &result, err) < 0)
		return -1;
	read(result, world);
	return 0;
}

static int observe_parts(struct pg *pg, struct fleet_world *world, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params workers = {0};
	CLEANUP(cleanup_pg_params) struct pg_params shapes = {0};

	pg_param_i64(&workers, FLEET_WORKERS_MAX);
	pg_param_i64(&workers, DEFAULT_CPU_MILLIS);
	pg_param_i64(&workers, (int64_t)DEFAULT_MEMORY_BYTES);
	pg_param_i64(&shapes, READY_SAMPLE_COUNT);
	pg_param_i64(&shapes, DEFAULT_CPU_MILLIS);
	pg_param_i64(&shapes, (int64_t)DEFAULT_MEMORY_BYTES);
	if (observe_part(pg, &query_fleet_facts, NULL, fleet_rows_facts, world, err) < 0 ||
	    observe_part(pg, &query_fleet_workers, &workers, fleet_rows_workers, world, err) < 0 ||
	    observe_part(pg, &query_fleet_shapes, &shapes, fleet_rows_shapes, world, err) < 0)
		return -1;
	return observe_part(pg, &query_fleet_coolings, NULL, fleet_rows_coolings, world, err);
}

static int store_observe(void *context, struct fleet_world *ret, struct error *err)
{
	struct fleet_store_pg *store = context;
	struct pg *pg = store->options.pg;

	if (pg_begin_snapshot(pg, err) < 0)
		return -1;
	ret->seed = rand_u64();
	int result = observe_parts(pg, ret, err);
	pg_rollback(pg);
	return result;
}

static int store_upkeep(void *context, struct fleet_upkeep *ret, struct error *err)
{
	struct fleet_store_pg *store = context;
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;

	if (pg_run(store->options.pg, &query_orchestrator_tick, NULL, &result, err) < 0)
		return -1;
	ret->rescued_count = pg_get_i64(result, 0, 1);
	ret->busy = pg_get_bool(result, 0, 3);
	ret->woken = pg_get_i64(result, 0, 0) + ret->rescued_count + pg_get_i64(result, 0, 2) > 0;
	return ret->woken ? fleet_store_wake(store, err) : 0;
}

static void param_note(struct pg_params *params, const struct fleet_note *note)
{
	pg_param_i64(params, note->rule);
	pg_param_text(params, note->reason);
	pg_param_text(params, note->key);
}

static void random_name(const char *prefix, char out[FLEET_SERVER_NAME_BYTES])
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
	size_t bytes = (size_t)snprintf(out, FLEET_SERVER_NAME_BYTES, "%s", prefix);

	CHECK(bytes + NAME_CHARS < FLEET_SERVER_NAME_BYTES);
	for (size_t i = 0; i < NAME_CHARS; i++)
		out[bytes++] = digits[rand_below(sizeof(digits) - 1)];
	out[bytes] = '\0';
}

/* 0: nothing is billed. */
static int64_t hour_of(uint64_t hour_ms)
{
	return hour_ms > 0 ? (int64_t)hour_ms : BILLING_HOUR_US / 1000;
}

static int store_intend(void *context, int64_t fence, const struct fleet_choice *choice,
			uint32_t slots, const struct fleet_note *note, struct fleet_intent *ret,
			struct error *err)
{
	struct fleet_store_pg *store = context;
	const struct fleet_store_options *options = &store->options;
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	CLEANUP(cleanup_buf) struct buf login;
	char password[PASSWORD_CHARS + 1];
	char verifier[SCRAM_VERIFIER_BYTES];

	buf_init(&login, CONNINFO_BYTES_MAX);
	base62_random(password, PASSWORD_CHARS);
	scram_verifier_random(password, verifier);
	random_name(options->name_prefix, ret->name);
	pg_param_i64(&params, fence);
	pg_param_text(&params, ret->name);
	pg_param_text(&params, verifier);
	pg_param_text(&params, choice->server_type);
	pg_param_text(&params, choice->location);
	pg_param_i64(&params, (int64_t)choice->cpu_millis);
	pg_param_i64(&params, (int64_t)choice->memory_bytes);
	pg_param_i64(&params, choice->price_hour_micros);
	pg_param_i64(&params,
		     options->hour_ms > 0 ? (int64_t)options->hour_ms : BILLING_HOUR_US / 1000);
	pg_param_i64(&params, slots);
	pg_param_bool(&params, options->sized);
	param_note(&params, note);
	if (pg_run(options->pg, &query_fleet_intend, &params, &result, err) < 0 ||
	    conninfo_with_login(options->worker_conninfo, pg_get_text(result, 0, 1), password,
				&login, err) < 0)
		return -1;
	ret->worker_id = pg_get_i64(result, 0, 0);
	ret->login = buf_detach(&login);
	return 0;
}

static int store_record_server(void *context, int64_t fence, const struct fleet_pending *server,
			       int64_t created_us, const struct fleet_note *note, struct error *err)
{
	struct fleet_store_pg *store = context;
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};

	pg_param_i64(&params, fence);
	pg_param_i64(&params, server->worker_id);
	pg_param_i64(&params, server->server_id);
	pg_param_i64(&params, created_us);
	pg_param_i64_array(&params, server->action_ids, server->action_count);
	param_note(&params, note);
	return pg_do(store->options.pg, &query_fleet_record_server, &params, NULL, err);
}

static int store_settle(void *context, int64_t fence, int64_t worker_id, bool failed,
			const char *message, struct error *err)
{
	struct fleet_store_pg *store = context;
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};

	pg_param_i64(&params, fence);
	pg_param_i64(&params, worker_id);
	pg_param_bool(&params, failed);
	pg_param_text(&params, message);
	return pg_do(store->options.pg, &query_fleet_settle, &params, NULL, err);
}

static int store_drain(void *context, int64_t fence, int64_t worker_id, enum fleet_drain cause,
		       const struct fleet_note *note, struct error *err)
{
	struct fleet_store_pg *store = context;
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};

	pg_param_i64(&params, fence);
	pg_param_i64(&params, worker_id);
	pg_param_i64(&params, (int64_t)cause);
	param_note(&params, note);
	return pg_do(store->options.pg, &query_fleet_drain, &params, NULL, err);
}

static int store_undrain(void *context, int64_t fence, int64_t worker_id,
			 const struct fleet_note *note, struct error *err)
{
	struct fleet_store_pg *store = context;
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};

	pg_param_i64(&params, fence);
	pg_param_i64(&params, worker_id);
	param_note(&params, note);
	return pg_do(store->options.pg, &query_fleet_undrain, &params, NULL, err);
}

static int store_end(void *context, int64_t fence, int64_t worker_id, enum worker_state state,
		     bool only_drained, const struct fleet_note *note, int64_t *ret_requeued,
		     struct error *err)
{
	struct fleet_store_pg *store = context;
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;

	pg_param_i64(&params, fence);
	pg_param_i64(&params, worker_id);
	pg_param_i64(&params, (int64_t)state);
	pg_param_bool(&params, only_drained);
	param_note(&params, note);
	if (pg_run(store->options.pg, &query_fleet_end, &params, &result, err) < 0)
		return -1;
	*ret_requeued = pg_get_i64(result, 0, 0);
	return 0;
}

static int store_server_deleting(void *context, int64_t fence, int64_t worker_id, int64_t at_us,
				 struct error *err)
{
	struct fleet_store_pg *store = context;
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};

	pg_param_i64(&params, fence);
	pg_param_i64(&params, worker_id);
	pg_param_i64(&params, at_us);
	return pg_do(store->options.pg, &query_fleet_server_deleting, &params, NULL, err);
}

static int store_server_gone(void *context, int64_t fence, int64_t worker_id,
			     const struct fleet_note *note, struct error *err)
{
	struct fleet_store_pg *store = context;
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};

	pg_param_i64(&params, fence);
	pg_param_i64(&params, worker_id);
	param_note(&params, note);
	return pg_do(store->options.pg, &query_fleet_server_gone, &params, NULL, err);
}

static int store_note(void *context, int64_t fence, const char *kind, int64_t worker_id,
		      const struct fleet_note *note, struct error *err)
{
	struct fleet_store_pg *store = context;
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};

	pg_param_i64(&params, fence);
	pg_param_text(&params, kind);
	pg_param_i64(&params, worker_id);
	param_note(&params, note);
	return pg_do(store->options.pg, &query_fleet_event, &params, NULL, err);
}

static int store_cool(void *context, int64_t fence, const struct fleet_cooling *cooling,
		      const char *message, struct error *err)
{
	struct fleet_store_pg *store = context;
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};

	pg_param_i64(&params, fence);
	pg_param_text(&params, cooling->server_type);
	pg_param_text(&params, cooling->location);
	pg_param_i64(&params, cooling->until_us);
	pg_param_i64(&params, (int64_t)cooling->cause);
	pg_param_text(&params, message);
	return pg_do(store->options.pg, &query_fleet_cool, &params, NULL, err);
}

static int store_pause_quota(void *context, int64_t fence, int64_t until_us, const char *message,
			     struct error *err)
{
	struct fleet_store_pg *store = context;
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};

	pg_param_i64(&params, fence);
	pg_param_i64(&params, until_us);
	pg_param_text(&params, message);
	return pg_do(store->options.pg, &query_fleet_pause_quota, &params, NULL, err);
}

static int store_book(void *context, int64_t fence, const struct fleet_ledger_row *rows,
		      size_t count, struct error *err)
{
	struct fleet_store_pg *store = context;
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_free) int64_t *numbers = xcalloc(count * 5 + 1, sizeof(*numbers));
	int64_t *columns[5];

	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		columns[i] = numbers + i * count;
	for (size_t i = 0; i < count; i++) {
		columns[0][i] = rows[i].server_id;
		columns[1][i] = rows[i].hour;
		columns[2][i] = rows[i].worker_id;
		columns[3][i] = rows[i].from_us;
		columns[4][i] = rows[i].price_micros;
	}
	pg_param_i64(&params, fence);
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		pg_param_i64_array(&params, columns[i], count);
	return pg_do(store->options.pg, &query_fleet_book, &params, NULL, err);
}

struct fleet_store_pg *fleet_store_pg_new(const struct fleet_store_options *options,
					  struct fleet_store *ret)
{
	struct fleet_store_pg *store = xcalloc(1, sizeof(*store));

	store->options = *options;
	base62_random(store->holder, HOLDER_CHARS);
	*ret = (struct fleet_store){
		.context = store,
		.lead = store_lead,
		.observe = store_observe,
		.upkeep = store_upkeep,
		.intend = store_intend,
		.record_server = store_record_server,
		.settle = store_settle,
		.drain = store_drain,
		.undrain = store_undrain,
		.end = store_end,
		.server_deleting = store_server_deleting,
		.server_gone = store_server_gone,
		.note = store_note,
		.cool = store_cool,
		.pause_quota = store_pause_quota,
		.book = store_book,
	};
	return store;
}

void fleet_store_pg_free(struct fleet_store_pg *store)
{
	if (!store)
		return;
	free(store->published);
	free(store);
}

int fleet_store_wake(struct fleet_store_pg *store, struct error *err)
{
	return pg_do(store->options.pg, &query_orchestrator_wake, NULL, NULL, err);
}

void fleet_store_resign(struct fleet_store_pg *store)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	struct error err;

	pg_param_text(&params, store->holder);
	if (pg_run(store->options.pg, &query_fleet_resign, &params, &result, &err) < 0)
		return;
}

/* Publication */

static json_t *choices_json(const struct fleet_world *world, const struct fleet_policy *policy)
{
	json_t *choices = json_array();

	for (size_t i = 0; i < world->choice_count; i++) {
		const struct fleet_choice *choice = &world->choices[i];

		CHECK(json_array_append_new(
			      choices,
			      json_pack("{s:I, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:b}", "position",
					(json_int_t)i, "server_type", choice->server_type,
					"location", choice->location, "cpu_millis",
					(json_int_t)choice->cpu_millis, "memory_bytes",
					(json_int_t)choice->memory_bytes, "slots",
					(json_int_t)policy->slots, "price_hour_micros",
					(json_int_t)choice->price_hour_micros, "hour_ms",
					(json_int_t)hour_of(policy->hour_ms), "withdrawn",
					choice->withdrawn)) == 0);
	}
	return choices;
}

static json_t *waits_json(const struct fleet_world *world, const struct fleet_plan *plan)
{
	json_t *waits = json_array();

	for (size_t i = 0; i < plan->wait_count; i++) {
		const struct fleet_wait *wait = &plan->waits[i];
		const struct fleet_shape *shape = &world->shapes[wait->shape];

		CHECK(json_array_append_new(waits,
					    json_pack("{s:I, s:I, s:I, s:I, s:s, s:s, s:s, s:I}",
						      "position", (json_int_t)i, "cpu_millis",
						      (json_int_t)shape->cpu_millis, "memory_bytes",
						      (json_int_t)shape->memory_bytes, "count",
						      (json_int_t)wait->count, "code",
						      fleet_wait_code_name(wait->code), "reason",
						      wait->text, "next", wait->next, "until_us",
						      (json_int_t)wait->until_us)) == 0);
	}
	return waits;
}

static json_t *limits_json(const struct fleet_world *world, const struct fleet_policy *policy)
{
	struct fleet_policy followed = *policy;

	fleet_hour_follow_deletions(&followed, world->deletion_ms);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "workers_min", (json_int_t)policy->min,
			 "workers_max", (json_int_t)policy->max, "workers_warm",
			 (json_int_t)policy->warm, "slots", (json_int_t)policy->slots,
			 "spend_limit_micros", (json_int_t)policy->spend_limit_micros,
			 "hour_margin_ms", (json_int_t)followed.hour_margin_ms);
}

int fleet_store_publish(struct fleet_store_pg *store, const struct fleet_world *world,
			const struct fleet_plan *plan, const struct fleet_policy *policy,
			struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_json) json_t *choices_array = choices_json(world, policy);
	CLEANUP(cleanup_json) json_t *waits_array = waits_json(world, plan);
	CLEANUP(cleanup_json) json_t *limits_object = limits_json(world, policy);
	CLEANUP(cleanup_free) char *choices = json_to_text(choices_array);
	CLEANUP(cleanup_free) char *waits = json_to_text(waits_array);
	CLEANUP(cleanup_free) char *limits = json_to_text(limits_object);
	CLEANUP(cleanup_free) char *all = xasprintf("%s%s%s", choices, waits, limits);

	if (store->published && str_eq(store->published, all))
		return 0;
	pg_param_i64(&params, store->fence);
	pg_param_text(&params, choices);
	pg_param_text(&params, waits);
	pg_param_text(&params, limits);
	if (pg_do(store->options.pg, &query_fleet_publish, &params, NULL, err) < 0)
		return -1;
	free(store->published);
	store->published = TAKE_PTR(all);
	return 0;
}
