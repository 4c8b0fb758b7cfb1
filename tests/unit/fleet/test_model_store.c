/* The model store keeps what every store promises. */
#include "fleet/conformance.h"
#include "fleet/model_store.h"
#include "tap.h"

#define LEASES_MAX 8

struct hands {
	struct model_store store;
	int64_t now_us;
	struct model_session one, other;
};

static int64_t add_batch(void *context, uint32_t limit)
{
	struct hands *hands = context;
	return (int64_t)model_queue_add_batch(&hands->store.queue, limit);
}

static int64_t submit(void *context, int64_t batch)
{
	struct hands *hands = context;
	const struct model_job job = {.cpu_millis = 1000,
				      .memory_bytes = 512 * MIB,
				      .submitted_us = hands->now_us,
				      .batch = (size_t)batch};
	return (int64_t)model_queue_submit(&hands->store.queue, &job);
}

static int cancel(void *context, int64_t job)
{
	struct hands *hands = context;
	return model_queue_cancel(&hands->store.queue, (size_t)job);
}

static void look_at(void *context, int64_t id, struct conformance_job *ret)
{
	const struct hands *hands = context;
	const struct model_job *job = &hands->store.queue.jobs[id];
	*ret = (struct conformance_job){.place = job->place,
					.attempt = (int32_t)job->attempt,
					.losses = job->losses,
					.results = job->results};
}

static bool join(void *context, int64_t worker_id, uint32_t *ret_incarnation)
{
	struct hands *hands = context;
	return model_store_join(&hands->store, worker_id, 2, ret_incarnation) == 0;
}

static struct model_lease to_model(const struct conformance_lease *lease)
{
	return (struct model_lease){.job = (size_t)lease->job,
				    .attempt = (uint32_t)lease->attempt,
				    .token = (uint64_t)lease->token};
}

static int claim(void *context, int64_t worker_id, uint32_t incarnation, size_t want,
		 struct conformance_lease *ret)
{
	struct hands *hands = context;
	struct model_lease leases[LEASES_MAX];
	size_t count = 0;
	if (model_store_claim(&hands->store, worker_id, incarnation, want, leases, &count) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		ret[i] = (struct conformance_lease){.job = (int64_t)leases[i].job,
						    .attempt = (int32_t)leases[i].attempt,
						    .token = (int64_t)leases[i].token};
	return (int)count;
}

static int complete(void *context, int64_t worker_id, uint32_t incarnation,
		    const struct conformance_lease *lease, bool is_cancelled)
{
	struct hands *hands = context;
	const struct model_lease ended = to_model(lease);
	enum model_verdict verdict = 0;
	return model_store_complete(&hands->store, worker_id, incarnation, &ended, is_cancelled,
				    &verdict) < 0
		       ? CONFORMANCE_REFUSED
		       : (int)verdict;
}

static bool give_back(void *context, int64_t worker_id, uint32_t incarnation,
		      const struct conformance_lease *lease)
{
	struct hands *hands = context;
	const struct model_lease unwanted = to_model(lease);
	return model_store_give_back(&hands->store, worker_id, incarnation, &unwanted) == 0;
}

static bool beat(void *context, int64_t worker_id, uint32_t incarnation,
		 const struct conformance_lease *leases, size_t count, enum model_wish *ret_wishes,
		 bool *ret_drain)
{
	struct hands *hands = context;
	struct model_lease held[LEASES_MAX];
	for (size_t i = 0; i < count; i++)
		held[i] = to_model(&leases[i]);
	return model_store_heartbeat(&hands->store, worker_id, incarnation, held, count, ret_wishes,
				     ret_drain) == 0;
}

static int leave(void *context, int64_t worker_id, uint32_t incarnation)
{
	struct hands *hands = context;
	enum model_leaving leaving = 0;
	return model_store_leave(&hands->store, worker_id, incarnation, &leaving) < 0
		       ? CONFORMANCE_REFUSED
		       : (int)leaving;
}

static void operator_drain(void *context, int64_t worker_id)
{
	struct hands *hands = context;
	model_store_operator_drain(&hands->store, worker_id);
}

static void operator_undrain(void *context, int64_t worker_id)
{
	struct hands *hands = context;
	model_store_operator_undrain(&hands->store, worker_id);
}

static void pass(void *context, int64_t us)
{
	struct hands *hands = context;
	hands->now_us += us;
}

static void restart(void *context)
{
	struct hands *hands = context;
	model_store_restart(&hands->store, hands->now_us);
}

static void hang_up_second(void *context)
{
	struct hands *hands = context;
	model_store_hang_up(&hands->store, hands->other.id);
}

static int run(enum plant plant, struct error *err)
{
	struct hands hands = {.now_us = INT64_C(1800000000000000)};
	struct fleet_store first;
	struct fleet_store second;
	model_store_init(&hands.store, &hands.now_us);
	hands.store.plant = plant;
	hands.store.queue.plant = plant;
	hands.one = (struct model_session){.store = &hands.store, .id = 1};
	hands.other = (struct model_session){.store = &hands.store, .id = 2};
	model_store_port(&hands.one, &first);
	model_store_port(&hands.other, &second);
	const struct conformance conformance = {.first = &first,
						.second = &second,
						.context = &hands,
						.add_batch = add_batch,
						.submit = submit,
						.cancel = cancel,
						.look_at = look_at,
						.join = join,
						.claim = claim,
						.complete = complete,
						.give_back = give_back,
						.beat = beat,
						.leave = leave,
						.operator_drain = operator_drain,
						.operator_undrain = operator_undrain,
						.pass = pass,
						.restart = restart,
						.hang_up_second = hang_up_second};
	int result = conformance_run(&conformance, err);
	model_store_release(&hands.store);
	return result;
}

TEST(the_model_store_conforms)
{
	struct error err = {0};
	EXPECT_OK(run(PLANT_NONE, &err), err);
}

/* The suite is no formality: a store with one of these bugs does not pass it. */
TEST(a_store_with_a_bug_does_not_conform)
{
	static const enum plant plants[] = {
		PLANT_NO_FENCE,	    PLANT_NO_TOKEN,	PLANT_RECORDS_AGAIN,   PLANT_SHARES_LEASES,
		PLANT_HASTY_RESCUE, PLANT_KEEPS_LEASES, PLANT_DROPS_JOBS,      PLANT_NO_STOP,
		PLANT_NO_BUDGET,    PLANT_NO_GATE,	PLANT_REVIVES_WORKERS, PLANT_DEAF,
		PLANT_BLIND,	    PLANT_LOST_RECORD,	PLANT_FREE_HOURS,      PLANT_OVERSLEEPS,
	};
	for (size_t i = 0; i < sizeof(plants) / sizeof(plants[0]); i++) {
		struct error err = {0};
		if (run(plants[i], &err) == 0)
			tap_fail(__FILE__, __LINE__, "%s conforms", plant_name(plants[i]));
	}
}
