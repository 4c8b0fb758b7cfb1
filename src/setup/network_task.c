#include "setup/network_task.h"

#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "core/label.h"
#include "setup/own_server.h"

#define TRIES_MAX    6		     /* of one step whose failures may pass */
#define PATIENCE_MS  (5 * 60 * 1000) /* with actions of others on the same network or server */
#define PAUSE_MS_MIN 200
#define PAUSE_MS_MAX 5000

void network_state_release(struct network_state *state)
{
	network_look_release(&state->look);
	*state = (struct network_state){0};
}

/* self_id 0: find out. */
static int find_self(const struct network_task *task, const struct network_look *look,
		     int64_t self_id, const struct hetzner_server **ret, struct error *err)
{
	if (self_id == 0)
		return own_server_find(task->server, &look->servers, ret, err);
	for (size_t i = 0; i < look->servers.count; i++) {
		if (look->servers.items[i].id == self_id) {
			*ret = &look->servers.items[i];
			return 0;
		}
	}
	return error_set(err, ERR_NOT_FOUND, "server %lld is gone", (long long)self_id);
}

static int look_as(const struct network_task *task, int64_t self_id, struct network_state *ret,
		   struct error *err)
{
	CLEANUP(cleanup_network_look) struct network_look look = {0};
	struct network_state state = {0};

	if (network_look_take(task->hetzner, task->wish->name, &look, err) < 0 ||
	    find_self(task, &look, self_id, &state.self, err) < 0)
		return -1;
	network_look_see(&look, state.self, task->wish, &state.seen);
	if (task->decide(task->wish, &state.seen, &state.plan, err) < 0)
		return -1;
	state.look = look;
	look = (struct network_look){0};
	*ret = state;
	return 0;
}

int network_task_look(const struct network_task *task, struct network_state *ret, struct error *err)
{
	return look_as(task, 0, ret, err);
}

static int create_network(const struct network_task *task, struct error *err)
{
	struct hetzner_labels labels = {0};
	int64_t id = 0;

	hetzner_label_set(&labels, LABEL_MANAGED_BY, LABEL_RGRID);
	return hetzner_network_create(task->hetzner, task->wish->name, task->wish->ip_range,
				      &labels, &id, err);
}

static int adopt_network(const struct network_task *task, const struct hetzner_network *network,
			 struct error *err)
{
	struct hetzner_labels labels = network->labels;

	hetzner_label_set(&labels, LABEL_MANAGED_BY, LABEL_RGRID);
	return hetzner_network_set_labels(task->hetzner, network->id, &labels, err);
}

static int begin_step(const struct network_task *task, const struct network_state *state,
		      struct hetzner_actions *ret, struct error *err)
{
	const struct network_wish *wish = task->wish;
	struct hetzner *hetzner = task->hetzner;
	const struct hetzner_network *network = state->look.network;

	switch (state->plan.steps[0].kind) {
	case NETWORK_CREATE:
		return create_network(task, err);
	case NETWORK_ADOPT:
		return adopt_network(task, network, err);
	case NETWORK_DELETE_SUBNET:
		return hetzner_network_delete_subnet(hetzner, network->id, wish->subnet, ret, err);
	case NETWORK_ADD_SUBNET:
		return hetzner_network_add_subnet(hetzner, network->id, wish->subnet,
						  state->self->network_zone, ret, err);
	case NETWORK_DETACH:
		return hetzner_server_detach_from_network(hetzner, state->self->id, network->id,
							  ret, err);
	case NETWORK_ATTACH:
		return hetzner_server_attach_to_network(hetzner, state->self->id, network->id,
							wish->ip, ret, err);
	case NETWORK_DELETE:
		return hetzner_network_delete(hetzner, network->id, err);
	case NETWORK_STEP_KIND_MAX:
		break;
	}
	UNREACHABLE();
}

static int do_step(const struct network_task *task, const struct network_state *state,
		   struct error *err)
{
	struct hetzner_actions actions = {0};

	if (begin_step(task, state, &actions, err) < 0)
		return -1;
	return actions.count == 0 ? 0 : hetzner_actions_wait(task->hetzner, &actions, err);
}

enum verdict { VERDICT_FINAL = 1, VERDICT_AGAIN, VERDICT_WAIT };

/* What a failed step means. Anything that the next look may show done, or that passes by itself,
 * is worth another look. */
static enum verdict judge(const struct hetzner_failure *failure)
{
	if (failure->outcome_unknown)
		return VERDICT_AGAIN;
	switch ((int)failure->code) {
	case HETZNER_LOCKED:
	case HETZNER_CONFLICT:
		return VERDICT_WAIT;
	case HETZNER_ACTION_FAILED:
	case HETZNER_UNIQUENESS_ERROR:
	case HETZNER_SERVER_ALREADY_ATTACHED:
	case HETZNER_IP_NOT_AVAILABLE: /* addresses stay busy for a moment after a detach */
	case HETZNER_NOT_FOUND:
	case HETZNER_SERVICE_ERROR:
	case HETZNER_SERVER_ERROR:
	case HETZNER_BAD_GATEWAY:
	case HETZNER_UNAVAILABLE:
	case HETZNER_TIMEOUT:
	case HETZNER_UNREACHABLE:
		return VERDICT_AGAIN;
	}
	return VERDICT_FINAL;
}

static void pause_ms(unsigned ms)
{
	struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	while (nanosleep(&left, &left) != 0)
		;
}

/* How long the step at hand has been tried. */
struct tries {
	enum network_step_kind kind;
	unsigned count;
	unsigned pause_ms;
	uint64_t since_ms;
	struct error last; /* of the try before; code ERR_NONE if that went well */
	bool refused;	   /* for good, unless the next look shows it done by another run */
};

/* Whether the step may be tried once more; else the error that explains it. */
static int tries_next(struct tries *tries, enum network_step_kind kind, struct error *err)
{
	if (tries->kind != kind) {
		*tries = (struct tries){
			.kind = kind, .pause_ms = PAUSE_MS_MIN, .since_ms = clock_boottime_ms()};
		return 0;
	}
	if (tries->count >= TRIES_MAX || clock_boottime_ms() - tries->since_ms > PATIENCE_MS) {
		if (tries->last.code == ERR_NONE)
			return error_set(err, ERR_UNAVAILABLE,
					 "%s succeeded %u times and shows no effect",
					 network_step_name(kind), tries->count);
		*err = tries->last;
		return error_wrap(err, "%s, again and again", network_step_name(kind));
	}
	pause_ms(tries->pause_ms);
	tries->pause_ms = tries->pause_ms * 2 < PAUSE_MS_MAX ? tries->pause_ms * 2 : PAUSE_MS_MAX;
	return 0;
}

static void try_step(const struct network_task *task, const struct network_state *state,
		     struct tries *tries)
{
	struct error failed = {0};

	tries->last = (struct error){0};
	if (do_step(task, state, &failed) == 0) {
		tries->count++;
		return;
	}
	enum verdict verdict = judge(hetzner_last_failure(task->hetzner));
	tries->count += verdict == VERDICT_AGAIN;
	tries->refused = verdict == VERDICT_FINAL;
	tries->last = failed;
}

/* What a refusal says when nobody else has done the step. */
static int refused(const struct tries *tries, struct error *err)
{
	*err = tries->last;
	return error_wrap(err, "%s", network_step_name(tries->kind));
}

int network_task_run(const struct network_task *task, struct network_state *state,
		     struct error *err)
{
	struct tries tries = {0};

	while (state->plan.count > 0) {
		struct network_step step = state->plan.steps[0];
		struct network_state next = {0};

		if (tries.kind != step.kind)
			task->on_step(task->context, &step, false, state);
		if (tries_next(&tries, step.kind, err) < 0)
			return -1;
		try_step(task, state, &tries);
		if (look_as(task, state->self->id, &next, err) < 0)
			return tries.refused ? refused(&tries, err) : -1;
		network_state_release(state);
		*state = next;
		bool done = state->plan.count == 0 || state->plan.steps[0].kind != step.kind;
		if (done)
			task->on_step(task->context, &step, true, state);
		else if (tries.refused)
			return refused(&tries, err);
	}
	return 0;
}
