/* The model store keeps what every store promises. */
#include "fleet/conformance.h"
#include "fleet/model_store.h"
#include "tap.h"

struct hands {
	struct model_store store;
	int64_t now_us;
	uint32_t incarnation;
	struct model_claim claims[MODEL_CLAIMS_MAX];
	size_t claim_count;
};

static void submit(void *context)
{
	struct hands *hands = context;
	(void)model_store_submit(&hands->store, 1000, 512 * MIB, 1);
}

static bool join(void *context, int64_t worker_id)
{
	struct hands *hands = context;
	return model_store_join(&hands->store, worker_id, 2, &hands->incarnation) == 0;
}

static size_t claim(void *context, int64_t worker_id, size_t want)
{
	struct hands *hands = context;
	size_t count = 0;
	EXPECT(model_store_claim(&hands->store, worker_id, hands->incarnation, want,
				 &hands->claims[hands->claim_count], &count) == 0);
	hands->claim_count += count;
	return count;
}

static void complete(void *context, int64_t worker_id)
{
	struct hands *hands = context;
	bool lost = true;
	EXPECT(model_store_complete(&hands->store, worker_id, hands->incarnation,
				    &hands->claims[--hands->claim_count], &lost) == 0);
	EXPECT(!lost);
}

static int leave(void *context, int64_t worker_id)
{
	struct hands *hands = context;
	enum model_leaving leaving = 0;
	EXPECT(model_store_leave(&hands->store, worker_id, hands->incarnation, &leaving) == 0);
	return leaving;
}

static void operator_drain(void *context, int64_t worker_id)
{
	struct hands *hands = context;
	model_store_operator_drain(&hands->store, worker_id);
}

TEST(the_model_store_conforms)
{
	struct hands hands = {.now_us = INT64_C(1800000000000000)};
	struct fleet_store first;
	struct fleet_store second;
	struct error err = {0};
	model_store_init(&hands.store, &hands.now_us);
	struct model_session one = {.store = &hands.store, .id = 1};
	struct model_session other = {.store = &hands.store, .id = 2};
	model_store_port(&one, &first);
	model_store_port(&other, &second);
	const struct conformance conformance = {.first = &first,
						.second = &second,
						.context = &hands,
						.submit = submit,
						.join = join,
						.claim = claim,
						.complete = complete,
						.leave = leave,
						.operator_drain = operator_drain};
	EXPECT_OK(conformance_run(&conformance, &err), err);
	model_store_release(&hands.store);
}

/* The suite is no formality: a store without fences does not pass it. */
TEST(a_store_without_fences_does_not_conform)
{
	struct hands hands = {.now_us = INT64_C(1800000000000000)};
	struct fleet_store first;
	struct fleet_store second;
	struct error err = {0};
	model_store_init(&hands.store, &hands.now_us);
	hands.store.plant = PLANT_NO_FENCE;
	struct model_session one = {.store = &hands.store, .id = 1};
	struct model_session other = {.store = &hands.store, .id = 2};
	model_store_port(&one, &first);
	model_store_port(&other, &second);
	const struct conformance conformance = {.first = &first,
						.second = &second,
						.context = &hands,
						.submit = submit,
						.join = join,
						.claim = claim,
						.complete = complete,
						.leave = leave,
						.operator_drain = operator_drain};
	EXPECT(conformance_run(&conformance, &err) < 0);
	model_store_release(&hands.store);
}
