#include "fleet/guest_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/cleanup.h"

#define SECOND_US      INT64_C(1000000)
#define LATE_US	       (60 * SECOND_US)
#define DEAD_PEER_US   (10 * SECOND_US) /* tcp_user_timeout of store/pipeline.c */
#define NO_ANSWER_US   (20 * SECOND_US) /* its PIPELINE_ANSWER_MS */
#define LOGIN_US       (10 * SECOND_US) /* that the login of an ended worker lasts */
#define BACKOFF_MIN_MS 50
#define BACKOFF_MAX_MS 3000
#define STUCK_MS       500 /* between looks at what is cut off */
#define TRAVEL_MS      20
#define TRAVEL_SLOW_MS 3000
#define CALLS_MAX      64
#define SPEC_BYTES     24

enum call_kind { CALL_JOIN = 1, CALL_STEP, CALL_HEARTBEAT, CALL_RELEASE, CALL_LEAVE };

struct call {
	enum call_kind kind;
	void *context;
	union {
		worker_joined_fn joined;
		worker_stepped_fn stepped;
		worker_beaten_fn beaten;
		worker_verdict_fn verdict;
		worker_left_fn left;
	} callback;
	uint32_t slots;
	bool if_drained;
	struct model_lease leases[GUEST_LEASES_MAX];
	bool are_cancelled[GUEST_LEASES_MAX]; /* of a step */
	size_t lease_count, want;
	int64_t issued_us;
	int64_t due_us; /* its effect; then its answer */
	/* The answer */
	bool is_answered, is_refused;
	uint32_t incarnation;
	enum worker_verdict verdicts[GUEST_LEASES_MAX];
	enum model_wish wishes[GUEST_LEASES_MAX];
	bool drain;
	enum worker_leaving leaving;
	struct model_lease claims[GUEST_LEASES_MAX];
	size_t claim_count;
};

struct worker_link {
	struct worker_link_options options;
	struct guest_line *line;
	struct timer timer; /* the next thing that happens to the calls, or to connect */
	uint64_t backoff_ms;
	bool is_up;
	int64_t up_since_us; /* of the database, by which a restart is seen */
	uint32_t incarnation;
	int64_t worker_id;
	struct call *calls[CALLS_MAX]; /* unanswered, in order */
	size_t call_count;
};

static int64_t now_us(const struct worker_link *link)
{
	return *link->line->loop->clock_us;
}

static bool strikes(const struct worker_link *link, uint64_t permille, enum fault_kind kind)
{
	bool is_struck = prng_chance(link->line->loop->prng, permille);
	if (is_struck)
		fault_struck(link->line->counts, kind);
	return is_struck;
}

static int64_t travel_us(const struct worker_link *link)
{
	const struct guest_line *line = link->line;
	bool is_slow = prng_chance(line->loop->prng, line->faults->slow);
	return prng_between(line->loop->prng, 1, is_slow ? TRAVEL_SLOW_MS : TRAVEL_MS) * 1000;
}

static void schedule(struct worker_link *link)
{
	int64_t due_us = INT64_MAX;
	for (size_t i = 0; i < link->call_count; i++) {
		if (link->calls[i]->due_us < due_us)
			due_us = link->calls[i]->due_us;
	}
	if (due_us == INT64_MAX)
		timer_disarm(&link->timer);
	else
		timer_arm(&link->timer, due_us <= now_us(link)
						? 0
						: (uint64_t)(due_us - now_us(link) + 999) / 1000);
}

static void fail(const struct call *call, const struct error *err)
{
	switch (call->kind) {
	case CALL_JOIN:
		call->callback.joined(call->context, 0, 0, err);
		return;
	case CALL_STEP:
		call->callback.stepped(call->context, NULL, 0, NULL, 0, err);
		return;
	case CALL_HEARTBEAT:
		call->callback.beaten(call->context, NULL, 0, false, err);
		return;
	case CALL_RELEASE:
		call->callback.verdict(call->context, VERDICT_LOST, err);
		return;
	case CALL_LEAVE:
		call->callback.left(call->context, LEAVING_WAIT, err);
		return;
	}
	UNREACHABLE();
}

static void go_down(struct worker_link *link, enum error_code code)
{
	struct call *calls[CALLS_MAX];
	size_t count = link->call_count;
	struct error err = {0};
	(void)error_set(&err, code, "the connection is lost");
	memcpy(calls, link->calls, count * sizeof(struct call *));
	link->call_count = 0;
	link->is_up = false;
	timer_arm(&link->timer, link->backoff_ms / 2 + guest_rand_below(link->backoff_ms));
	link->backoff_ms *= 2;
	if (link->backoff_ms > BACKOFF_MAX_MS)
		link->backoff_ms = BACKOFF_MAX_MS;
	for (size_t i = 0; i < count; i++) {
		fail(calls[i], &err);
		free(calls[i]);
	}
	link->options.on_down(link->options.context, &err);
}

static bool reaches(const struct worker_link *link)
{
	return now_us(link) >= link->line->cut_off_us &&
	       now_us(link) >= *link->line->store_down_until_us;
}

static void connect_to_store(struct worker_link *link)
{
	const struct guest_line *line = link->line;
	const struct model_row *row = model_store_row(line->store, line->worker_id);
	bool has_login = row->worker.state <= WORKER_DRAINING ||
			 model_store_now(line->store) - row->ended_us < LOGIN_US;
	if (!reaches(link) || !has_login) {
		if (reaches(link))
			fault_struck(line->counts, FAULT_LOGIN_REFUSED);
		go_down(link, reaches(link) ? ERR_UNAUTHENTICATED : ERR_UNAVAILABLE);
		return;
	}
	link->is_up = true;
	link->backoff_ms = BACKOFF_MIN_MS;
	link->up_since_us = line->store->up_since_us;
	link->options.on_up(link->options.context);
}

/* Effects */

static void take_step(struct worker_link *link, struct call *call)
{
	struct guest_line *line = link->line;
	for (size_t i = 0; i < call->lease_count && !call->is_refused; i++) {
		enum model_verdict verdict = 0;
		call->is_refused = model_store_complete(line->store, line->worker_id,
							call->incarnation, &call->leases[i],
							call->are_cancelled[i], &verdict) < 0;
		call->verdicts[i] = (enum worker_verdict)verdict;
	}
	if (!call->is_refused)
		call->is_refused =
			model_store_claim(line->store, line->worker_id, call->incarnation,
					  call->want, call->claims, &call->claim_count) < 0;
}

static void give_back(struct worker_link *link, struct call *call)
{
	struct guest_line *line = link->line;
	for (size_t i = 0; i < call->lease_count && !call->is_refused; i++)
		call->is_refused = model_store_give_back(line->store, line->worker_id,
							 call->incarnation, &call->leases[i]) < 0;
}

static void leave(struct worker_link *link, struct call *call)
{
	struct guest_line *line = link->line;
	enum model_leaving leaving = 0;
	CHECK(call->if_drained); /* nobody sends it a signal */
	call->is_refused =
		model_store_leave(line->store, line->worker_id, call->incarnation, &leaving) < 0;
	call->leaving = (enum worker_leaving)leaving;
}

static void take_effect(struct worker_link *link, struct call *call)
{
	struct guest_line *line = link->line;
	switch (call->kind) {
	case CALL_JOIN:
		call->is_refused = model_store_join(line->store, line->worker_id, call->slots,
						    &call->incarnation) < 0;
		return;
	case CALL_STEP:
		take_step(link, call);
		return;
	case CALL_HEARTBEAT:
		call->is_refused =
			model_store_heartbeat(line->store, line->worker_id, call->incarnation,
					      call->leases, call->lease_count, call->wishes,
					      &call->drain) < 0;
		return;
	case CALL_RELEASE:
		give_back(link, call);
		return;
	case CALL_LEAVE:
		leave(link, call);
		return;
	}
	UNREACHABLE();
}

/* Answers */

static struct lease_id to_worker(const struct model_lease *lease)
{
	return (struct lease_id){.job_id = (int64_t)lease->job,
				 .attempt = (int32_t)lease->attempt,
				 .token = (int64_t)lease->token};
}

static struct model_lease to_model(const struct lease_id *lease)
{
	return (struct model_lease){.job = (size_t)lease->job_id,
				    .attempt = (uint32_t)lease->attempt,
				    .token = (uint64_t)lease->token};
}

static void answer_step(const struct worker_link *link, const struct call *call)
{
	struct worker_claim claims[GUEST_LEASES_MAX];
	char specs[GUEST_LEASES_MAX][SPEC_BYTES];
	for (size_t i = 0; i < call->claim_count; i++) {
		const struct model_job *job = &link->line->store->queue.jobs[call->claims[i].job];
		int bytes = snprintf(specs[i], SPEC_BYTES, "%lld", (long long)job->duration_us);
		claims[i] = (struct worker_claim){.lease = to_worker(&call->claims[i]),
						  .spec = specs[i],
						  .spec_bytes = (size_t)bytes};
	}
	call->callback.stepped(call->context, call->verdicts, call->lease_count, claims,
			       call->claim_count, NULL);
}

static void answer_heartbeat(struct worker_link *link, const struct call *call)
{
	struct worker_kill kills[GUEST_LEASES_MAX];
	size_t count = 0;
	for (size_t i = 0; i < call->lease_count; i++) {
		if (call->wishes[i] != MODEL_GO_ON)
			kills[count++] =
				(struct worker_kill){.job_id = (int64_t)call->leases[i].job,
						     .attempt = (int32_t)call->leases[i].attempt,
						     .cancelled = call->wishes[i] == MODEL_CANCEL};
	}
	link->line->contact_us = now_us(link);
	call->callback.beaten(call->context, kills, count, call->drain, NULL);
}

static void answer(struct worker_link *link, const struct call *call)
{
	link->line->was_refused = call->is_refused;
	if (call->is_refused) {
		struct error err = {0};
		(void)error_set(&err, ERR_FORBIDDEN, "this worker was given up");
		fault_struck(link->line->counts, FAULT_WORKER_GIVEN_UP);
		fail(call, &err);
		return;
	}
	switch (call->kind) {
	case CALL_JOIN:
		link->worker_id = link->line->worker_id;
		link->incarnation = call->incarnation;
		link->line->incarnation = call->incarnation;
		link->line->contact_us = now_us(link);
		call->callback.joined(call->context, link->worker_id, (int32_t)call->incarnation,
				      NULL);
		return;
	case CALL_STEP:
		answer_step(link, call);
		return;
	case CALL_HEARTBEAT:
		answer_heartbeat(link, call);
		return;
	case CALL_RELEASE:
		call->callback.verdict(call->context, VERDICT_RECORDED, NULL);
		return;
	case CALL_LEAVE:
		call->callback.left(call->context, call->leaving, NULL);
		return;
	}
	UNREACHABLE();
}

/* What happens to calls on their way */

static bool becomes_straggler(const struct worker_link *link, const struct call *call)
{
	struct guest_line *line = link->line;
	if (call->kind != CALL_STEP || call->lease_count == 0 || line->straggler.due_us != 0 ||
	    !prng_chance(line->loop->prng, line->faults->late))
		return false;
	line->straggler = (struct guest_straggler){.due_us = now_us(link) + LATE_US,
						   .incarnation = call->incarnation,
						   .lease = call->leases[0],
						   .is_cancelled = call->are_cancelled[0]};
	if (line->cut_off_us < now_us(link) + LATE_US / 2) /* the cause of it */
		line->cut_off_us = now_us(link) + LATE_US / 2;
	return true;
}

void guest_line_deliver(struct guest_line *line, int64_t at_us)
{
	enum model_verdict verdict = 0;
	if (line->straggler.due_us == 0 || at_us < line->straggler.due_us)
		return;
	line->straggler.due_us = 0;
	fault_struck(line->counts, FAULT_CALL_LATE);
	/* Nobody hears the answer. */
	(void)!model_store_complete(line->store, line->worker_id, line->straggler.incarnation,
				    &line->straggler.lease, line->straggler.is_cancelled, &verdict);
}

/* False: the connection is lost. */
static bool arrive(struct worker_link *link, struct call *call)
{
	const struct guest_faults *faults = link->line->faults;
	bool has_restarted = link->up_since_us != link->line->store->up_since_us;
	if (has_restarted || becomes_straggler(link, call) ||
	    strikes(link, faults->before, FAULT_CALL_LOST))
		return false;
	take_effect(link, call);
	if (strikes(link, faults->after, FAULT_CALL_ANSWER))
		return false;
	call->is_answered = true;
	call->due_us = now_us(link) + travel_us(link);
	return true;
}

/* Calls take effect, and are answered, in order. False: the connection is lost. */
static bool go_on(struct worker_link *link)
{
	for (size_t i = 0; i < link->call_count; i++) {
		struct call *call = link->calls[i];
		if (call->due_us > now_us(link)) {
			if (!call->is_answered)
				break; /* nor has any after it arrived */
			continue;
		}
		if (!reaches(link)) {
			int64_t patience_us = call->is_answered ? NO_ANSWER_US : DEAD_PEER_US;
			if (now_us(link) - call->issued_us > patience_us ||
			    now_us(link) < *link->line->store_down_until_us)
				return false;
			call->due_us = now_us(link) + STUCK_MS * 1000;
		} else if (!call->is_answered) {
			if (!arrive(link, call))
				return false;
		}
		if (i > 0 && call->due_us < link->calls[i - 1]->due_us)
			call->due_us = link->calls[i - 1]->due_us;
	}
	return true;
}

static void on_timer(void *context)
{
	struct worker_link *link = context;
	if (!link->is_up) {
		connect_to_store(link);
		return;
	}
	if (!go_on(link)) {
		go_down(link, ERR_UNAVAILABLE);
		return;
	}
	while (link->call_count > 0 && link->calls[0]->is_answered &&
	       link->calls[0]->due_us <= now_us(link)) {
		struct call *call = link->calls[0];
		link->call_count--;
		memmove(link->calls, link->calls + 1, link->call_count * sizeof(struct call *));
		answer(link, call);
		free(call);
	}
	schedule(link);
}

static struct call *call_new(struct worker_link *link, enum call_kind kind, void *context)
{
	struct call *call = xcalloc(1, sizeof(*call));
	call->kind = kind;
	call->context = context;
	call->incarnation = link->incarnation;
	call->issued_us = now_us(link);
	call->due_us = now_us(link) + travel_us(link);
	CHECK(link->is_up && link->call_count < CALLS_MAX);
	if (link->call_count > 0 && call->due_us < link->calls[link->call_count - 1]->due_us)
		call->due_us = link->calls[link->call_count - 1]->due_us;
	link->calls[link->call_count++] = call;
	return call;
}

static void name_leases(struct call *call, const struct lease_id *leases, size_t count)
{
	CHECK(count <= GUEST_LEASES_MAX);
	for (size_t i = 0; i < count; i++)
		call->leases[i] = to_model(&leases[i]);
	call->lease_count = count;
}

/* store/worker_link.h */

struct worker_link *guest_link_new(const struct worker_link_options *options,
				   struct guest_line *line)
{
	struct worker_link *link = xcalloc(1, sizeof(*link));
	link->options = *options;
	link->line = line;
	link->backoff_ms = BACKOFF_MIN_MS;
	timer_init(&link->timer, options->event, SD_EVENT_PRIORITY_NORMAL, on_timer, link);
	timer_arm(&link->timer, guest_rand_below(TRAVEL_MS));
	return link;
}

void worker_link_free(struct worker_link *link)
{
	if (link == NULL)
		return;
	for (size_t i = 0; i < link->call_count; i++)
		free(link->calls[i]);
	timer_release(&link->timer);
	free(link);
}

bool worker_link_is_up(const struct worker_link *link)
{
	return link->is_up;
}

void worker_link_join(struct worker_link *link, const struct worker_join *join,
		      worker_joined_fn callback, void *context)
{
	struct call *call = call_new(link, CALL_JOIN, context);
	call->callback.joined = callback;
	call->slots = (uint32_t)join->slots;
	schedule(link);
}

void worker_link_step(struct worker_link *link, const struct worker_completion *completions,
		      size_t count, size_t want, worker_stepped_fn callback, void *context)
{
	struct call *call = call_new(link, CALL_STEP, context);
	call->callback.stepped = callback;
	CHECK(count <= GUEST_LEASES_MAX && want <= GUEST_LEASES_MAX);
	for (size_t i = 0; i < count; i++) {
		call->leases[i] = to_model(&completions[i].lease);
		call->are_cancelled[i] = completions[i].outcome == OUTCOME_CANCELLED;
	}
	call->lease_count = count;
	call->want = want;
	schedule(link);
}

void worker_link_heartbeat(struct worker_link *link, const struct lease_id *held, size_t count,
			   worker_beaten_fn callback, void *context)
{
	struct call *call = call_new(link, CALL_HEARTBEAT, context);
	call->callback.beaten = callback;
	name_leases(call, held, count);
	schedule(link);
}

void worker_link_release(struct worker_link *link, const struct lease_id *leases, size_t count,
			 worker_verdict_fn callback, void *context)
{
	struct call *call = call_new(link, CALL_RELEASE, context);
	call->callback.verdict = callback;
	name_leases(call, leases, count);
	schedule(link);
}

void worker_link_leave(struct worker_link *link, const char *reason, bool if_drained,
		       worker_left_fn callback, void *context)
{
	struct call *call = call_new(link, CALL_LEAVE, context);
	(void)reason;
	call->callback.left = callback;
	call->if_drained = if_drained;
	schedule(link);
}
