#include "orchestrator/fleet_apply.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "core/fleet_choice.h"

static void tell(const struct fleet_apply *apply, const struct fleet_done *done)
{
	if (apply->listener != NULL)
		apply->listener->done(apply->listener->context, done);
}

static struct fleet_note note_of(const struct fleet_action *action)
{
	return (struct fleet_note){
		.rule = action->rule, .reason = action->reason, .key = action->key};
}

/* An error of the store. */
static void fail(struct fleet_apply *apply, const struct fleet_action *action, int64_t worker_id,
		 const struct error *err)
{
	apply->failed_count++;
	if (err->code == ERR_FORBIDDEN)
		apply->lost_lead = true;
	const struct fleet_done done = {.action = action, .worker_id = worker_id, .err = err};
	tell(apply, &done);
}

static const struct fleet_worker *find_worker(const struct fleet_apply *apply, int64_t id)
{
	for (size_t i = 0; i < apply->world->worker_count; i++) {
		if (apply->world->workers[i].id == id)
			return &apply->world->workers[i];
	}
	return NULL;
}

/* Creation */

static int cool(struct fleet_apply *apply, const char *server_type, const char *location,
		enum fleet_cooling_cause cause, const char *message, struct error *err)
{
	struct fleet_cooling cooling = {.cause = cause,
					.until_us = fleet_cool_until(apply->policy, cause,
								     apply->world->now_us,
								     apply->world->seed)};
	memcpy(cooling.server_type, server_type, sizeof(cooling.server_type));
	memcpy(cooling.location, location, sizeof(cooling.location));
	return apply->store->cool(apply->store->context, apply->fence, &cooling, message, err);
}

/* The order had no effect: the row ends, and what stood in the way is remembered. */
static int give_up(struct fleet_apply *apply, const struct fleet_action *action,
		   const struct fleet_creation *creation, struct error *err)
{
	const struct fleet_store *store = apply->store;
	const struct fleet_choice *choice = creation->choice;
	struct fleet_note note = note_of(action);
	int64_t requeued = 0;
	note.reason = creation->ret_message;
	if (store->end(store->context, apply->fence, creation->intent->worker_id, WORKER_FAILED,
		       false, &note, &requeued, err) < 0)
		return -1;
	enum fleet_cooling_cause cause = 0;
	switch (creation->ret_answer) {
	case FLEET_ANSWER_SOLD_OUT:
		cause = FLEET_COOLING_SOLD_OUT;
		break;
	case FLEET_ANSWER_WITHDRAWN:
		cause = FLEET_COOLING_WITHDRAWN;
		break;
	case FLEET_ANSWER_REFUSED:
		cause = FLEET_COOLING_REFUSED;
		break;
	case FLEET_ANSWER_QUOTA:
	case FLEET_ANSWER_NETWORK_FULL:
		memset(apply->is_cool, true, sizeof(apply->is_cool));
		return store->pause_quota(store->context, apply->fence,
					  apply->world->now_us +
						  (int64_t)apply->policy->quota_pause_ms * 1000,
					  creation->ret_message, err);
	case FLEET_ANSWER_TROUBLE:
	case FLEET_ANSWER_UNKNOWN:
	case FLEET_ANSWER_ACCEPTED:
		return 0;
	}
	apply->is_cool[action->choice] = true;
	return cool(apply, choice->server_type, choice->location, cause, creation->ret_message,
		    err);
}

static int settle_creation(struct fleet_apply *apply, const struct fleet_action *action,
			   const struct fleet_creation *creation, struct error *err)
{
	const struct fleet_store *store = apply->store;
	struct fleet_note note = note_of(action);
	switch (creation->ret_answer) {
	case FLEET_ANSWER_ACCEPTED:
		apply->well = true;
		return store->record_server(store->context, apply->fence, &creation->ret_server,
					    creation->ret_created_us, &note, err);
	case FLEET_ANSWER_UNKNOWN: /* it is found by its label, or given up for want of it */
		apply->in_trouble = true;
		apply->look = true;
		return 0;
	case FLEET_ANSWER_TROUBLE:
		apply->in_trouble = true;
		return give_up(apply, action, creation, err);
	case FLEET_ANSWER_SOLD_OUT:
	case FLEET_ANSWER_WITHDRAWN:
	case FLEET_ANSWER_QUOTA:
	case FLEET_ANSWER_NETWORK_FULL:
	case FLEET_ANSWER_REFUSED:
		return give_up(apply, action, creation, err);
	}
	UNREACHABLE();
}

static void flush_creations(struct fleet_apply *apply)
{
	size_t count = apply->creation_count;
	apply->creation_count = 0;
	if (count > 0 && !apply->lost_lead)
		apply->cloud->create(apply->cloud->context, apply->creations, count);
	for (size_t i = 0; i < count; i++) {
		const struct fleet_creation *creation = &apply->creations[i];
		const struct fleet_action *action = apply->created_by[i];
		struct error err = {0};
		if (!apply->lost_lead && settle_creation(apply, action, creation, &err) < 0)
			fail(apply, action, creation->intent->worker_id, &err);
		if (!apply->lost_lead) {
			bool accepted = creation->ret_answer == FLEET_ANSWER_ACCEPTED;
			const struct fleet_done done = {
				.action = action,
				.worker_id = creation->intent->worker_id,
				.server_id = accepted ? creation->ret_server.server_id : 0,
				.name = creation->intent->name,
				.message = accepted ? NULL : creation->ret_message};
			tell(apply, &done);
		}
		free(apply->intents[i].login);
	}
}

static int create_worker(struct fleet_apply *apply, const struct fleet_action *action,
			 struct error *err)
{
	const struct fleet_choice *choice = &apply->world->choices[action->choice];
	struct fleet_note note = note_of(action);
	size_t place = apply->creation_count;
	if (apply->is_cool[action->choice] || apply->in_trouble)
		return 0;
	apply->intents[place] = (struct fleet_intent){0};
	if (apply->store->intend(apply->store->context, apply->fence, choice, apply->policy->slots,
				 &note, &apply->intents[place], err) < 0)
		return -1;
	apply->creations[place] = (struct fleet_creation){
		.intent = &apply->intents[place], .choice = choice, .slots = apply->policy->slots};
	apply->created_by[place] = action;
	apply->creation_count++;
	if (apply->creation_count == FLEET_BATCH_MAX)
		flush_creations(apply);
	return 0;
}

/* Deletion */

static void flush_deletions(struct fleet_apply *apply)
{
	const struct fleet_store *store = apply->store;
	size_t count = apply->deletion_count;
	apply->deletion_count = 0;
	if (count == 0 || apply->lost_lead)
		return;
	apply->cloud->delete (apply->cloud->context, apply->deletions, count);
	for (size_t i = 0; i < count && !apply->lost_lead; i++) {
		const struct fleet_deletion *deletion = &apply->deletions[i];
		const struct fleet_action *action = apply->deleted_by[i];
		bool accepted = deletion->ret_answer == FLEET_ANSWER_ACCEPTED;
		/* It is not ours any more, and leaves the books as one that is gone; or it is
		 * protected, and is asked for again. Nothing is wrong with the provider. */
		bool refused = deletion->ret_answer == FLEET_ANSWER_REFUSED;
		/* Of several orders the last that may have had an effect ends the bill. */
		bool lost = deletion->ret_answer == FLEET_ANSWER_UNKNOWN;
		int64_t at_us =
			deletion->ret_at_us != 0 ? deletion->ret_at_us : apply->world->now_us;
		struct error err = {0};
		apply->look = true;
		apply->well = apply->well || accepted;
		apply->in_trouble = apply->in_trouble || !(accepted || refused);
		if ((accepted || refused || lost) && deletion->worker_id != 0 &&
		    store->server_deleting(store->context, apply->fence, deletion->worker_id, at_us,
					   &err) < 0)
			fail(apply, action, deletion->worker_id, &err);
		const struct fleet_done done = {.action = action,
						.worker_id = deletion->worker_id,
						.server_id = deletion->server_id,
						.message = accepted ? NULL : deletion->ret_message,
						.is_order = action->kind == FLEET_DELETE_WORKER};
		tell(apply, &done);
	}
}

/* While the provider is in trouble, it is asked for at a later tick: by then the row has ended. */
static void delete_server(struct fleet_apply *apply, const struct fleet_action *action)
{
	if (apply->in_trouble)
		return;
	apply->deletions[apply->deletion_count] = (struct fleet_deletion){
		.worker_id = action->worker_id, .server_id = action->server_id};
	apply->deleted_by[apply->deletion_count++] = action;
	if (apply->deletion_count == FLEET_BATCH_MAX)
		flush_deletions(apply);
}

static int end_worker(struct fleet_apply *apply, const struct fleet_action *action,
		      struct error *err)
{
	const struct fleet_store *store = apply->store;
	const struct fleet_worker *worker = find_worker(apply, action->worker_id);
	struct fleet_note note = note_of(action);
	int64_t requeued = 0;
	if (store->end(store->context, apply->fence, action->worker_id, action->end,
		       action->end == WORKER_TERMINATED, &note, &requeued, err) < 0)
		return -1;
	const struct fleet_done done = {.action = action,
					.worker_id = action->worker_id,
					.server_id = action->server_id,
					.requeued = requeued};
	tell(apply, &done);
	if (action->kind == FLEET_DELETE_WORKER && action->server_id != 0)
		delete_server(apply, action);
	if (action->cooling == 0 || worker == NULL || worker->server_type[0] == '\0')
		return 0;
	return cool(apply, worker->server_type, worker->location, action->cooling, action->reason,
		    err);
}

/* An orphan has no row to end: the event takes its place, and its fence shows that we lead. */
static int delete_known(struct fleet_apply *apply, const struct fleet_action *action,
			struct error *err)
{
	struct fleet_note note = note_of(action);
	if (action->worker_id == 0 && !apply->in_trouble &&
	    apply->store->note(apply->store->context, apply->fence, "orphan.delete", 0, &note,
			       err) < 0)
		return -1;
	delete_server(apply, action);
	return 0;
}

/* The rest */

static int adopt_server(struct fleet_apply *apply, const struct fleet_action *action,
			struct error *err)
{
	const struct fleet_world *world = apply->world;
	struct fleet_note note = note_of(action);
	for (size_t i = 0; i < world->server_count; i++) {
		const struct fleet_server *server = &world->servers[i];
		if (server->id != action->server_id)
			continue;
		const struct fleet_pending found = {.worker_id = action->worker_id,
						    .server_id = server->id};
		return apply->store->record_server(apply->store->context, apply->fence, &found,
						   server->created_us, &note, err);
	}
	UNREACHABLE(); /* the plan is of this world */
}

static int drain_worker(struct fleet_apply *apply, const struct fleet_action *action,
			struct error *err)
{
	struct fleet_note note = note_of(action);
	if (apply->store->drain(apply->store->context, apply->fence, action->worker_id,
				action->drain, &note, err) < 0)
		return -1;
	if (apply->cloud->drain != NULL)
		apply->cloud->drain(apply->cloud->context, action->worker_id);
	return 0;
}

/* Whether it is told here; ends and orders tell by themselves. */
static bool is_told(enum fleet_action_kind kind)
{
	return kind == FLEET_ADOPT_SERVER || kind == FLEET_FORGET_SERVER ||
	       kind == FLEET_DRAIN_WORKER || kind == FLEET_UNDRAIN_WORKER;
}

static int apply_action(struct fleet_apply *apply, const struct fleet_action *action,
			struct error *err)
{
	const struct fleet_store *store = apply->store;
	struct fleet_note note = note_of(action);
	switch (action->kind) {
	case FLEET_CREATE_WORKER:
		return create_worker(apply, action, err);
	case FLEET_RETIRE_WORKER:
	case FLEET_DELETE_WORKER:
		return end_worker(apply, action, err);
	case FLEET_ADOPT_SERVER:
		return adopt_server(apply, action, err);
	case FLEET_DELETE_SERVER:
		return delete_known(apply, action, err);
	case FLEET_FORGET_SERVER:
		return store->server_gone(store->context, apply->fence, action->worker_id, &note,
					  err);
	case FLEET_DRAIN_WORKER:
		return drain_worker(apply, action, err);
	case FLEET_UNDRAIN_WORKER:
		return store->undrain(store->context, apply->fence, action->worker_id, &note, err);
	case FLEET_ACTION_NONE:
	case FLEET_ACTION_KIND_MAX:
		break;
	}
	UNREACHABLE();
}

void fleet_apply_plan(struct fleet_apply *apply, const struct fleet_plan *plan)
{
	for (size_t i = 0; i < plan->action_count && !apply->lost_lead; i++) {
		const struct fleet_action *action = &plan->actions[i];
		struct error err = {0};
		if (apply_action(apply, action, &err) < 0) {
			fail(apply, action, action->worker_id, &err);
			continue;
		}
		const struct fleet_done done = {.action = action,
						.worker_id = action->worker_id,
						.server_id = action->server_id};
		if (is_told(action->kind))
			tell(apply, &done);
	}
	flush_deletions(apply);
	flush_creations(apply);
}
