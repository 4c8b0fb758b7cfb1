#include "worker/agent.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/rand.h"
#include "worker/dispatcher.h"
#include "worker/membership.h"
#include "worker/roster.h"
#include "worker/timer.h"
#include "worker/worker.h"

struct agent {
	struct agent_options options;
	struct run_services services;
	struct roster roster;
	struct membership *membership;
	struct dispatcher *dispatcher;

	bool signalled; /* it drains for good; the next signal means to stop at once */
	bool drained;	/* by the fleet, which may take that back */
	bool stopping;	/* jobs were killed: nothing is left but to leave */
	bool asking;	/* the fleet, whether to leave, being drained and empty */
	bool asked;	/* since it was drained: it may have left, though no answer came */
	bool waits;	/* it was told to wait: asks again after the next heartbeat */
	bool leaving;	/* for good */
	const char *farewell;

	struct task turn;   /* once a turn, after everything that changed something */
	struct timer retry; /* after a failed call */
	struct timer leave;
	struct timer lost;    /* armed while it has no standing in the fleet */
	struct timer refused; /* armed while the database refuses the login */
};

static void wake(struct agent *agent)
{
	task_wake(&agent->turn);
}

/* Every failed call of the link comes here. */
static void on_link_error(void *context, const struct error *err)
{
	struct agent *agent = context;

	if (err->code == ERR_FORBIDDEN)
		membership_fence(agent->membership, err->msg);
	else if (err->code != ERR_UNAVAILABLE)
		log_warning("worker.call_failed", F_ERROR(err));
	timer_arm_if_idle(&agent->retry, WORKER_RETRY_MS + rand_below(WORKER_RETRY_MS));
}

static void drain(struct agent *agent, const char *why)
{
	log_info("worker.draining", F_STR("reason", why), F_INT("jobs", agent->roster.count));
	agent->farewell = why;
	dispatcher_drain(agent->dispatcher);
	wake(agent);
}

static void undrain(struct agent *agent)
{
	agent->drained = false;
	agent->asked = false;
	agent->waits = false;
	if (agent->signalled)
		return;
	log_info("worker.undrained", F_INT("jobs", agent->roster.count));
	dispatcher_undrain(agent->dispatcher);
}

static void end(struct agent *agent, const struct error *failure)
{
	agent->options.on_ended(agent->options.context, failure);
}

static void on_lost(void *context)
{
	struct error err;

	(void)error_set(&err, ERR_UNAVAILABLE, "the grid has been lost for too long");
	end(context, &err);
}

static void on_refused_too_long(void *context)
{
	struct error err;

	(void)error_set(&err, ERR_UNAUTHENTICATED,
			"the database has refused this worker's login for too long");
	end(context, &err);
}

static void count_as_lost(struct agent *agent)
{
	if (agent->options.lost_ms_max > 0)
		timer_arm_if_idle(&agent->lost, agent->options.lost_ms_max);
}

static void on_joined(void *context, int64_t worker_id, int32_t incarnation)
{
	struct agent *agent = context;

	timer_disarm(&agent->lost);
	agent->options.on_joined(agent->options.context, worker_id, incarnation);
	dispatcher_ask(agent->dispatcher);
}

static void on_fenced(void *context, const char *why)
{
	struct agent *agent = context;

	log_warning("worker.fenced", F_STR("reason", why), F_INT("jobs", agent->roster.count));
	agent->options.on_fenced(agent->options.context, why);
	count_as_lost(agent);
	timer_arm_if_idle(&agent->retry, WORKER_RETRY_MS);
	wake(agent);
}

static void on_refused(void *context, const struct error *err)
{
	struct agent *agent = context;

	/* If it asked: its answer was lost, or the fleet was faster. */
	end(agent, agent->asked ? NULL : err);
}

static void on_told(void *context, bool is_to_drain)
{
	struct agent *agent = context;

	if (is_to_drain) {
		agent->waits = false;
		if (!agent->drained && !agent->signalled)
			drain(agent, "drained by the fleet");
		agent->drained = true;
		wake(agent);
	} else if (agent->drained && !agent->asking) { /* else the answer to that tells */
		undrain(agent);
	}
}

static void on_asked(void *context, enum worker_leaving leaving, const struct error *err)
{
	struct agent *agent = context;

	agent->asking = false;
	if (agent->leaving)
		return;
	if (err) {
		on_link_error(agent, err);
		wake(agent);
		return;
	}
	switch (leaving) {
	case LEAVING_DONE:
		end(agent, NULL);
		break;
	case LEAVING_STAY:
		undrain(agent);
		break;
	case LEAVING_WAIT:
		agent->waits = true;
		break;
	}
}

/* Without standing, or without a link, there is nobody to ask: it goes on until there is. */
static void ask_to_leave(struct agent *agent)
{
	if (agent->asking || agent->waits || timer_is_armed(&agent->retry) ||
	    !membership_is_held(agent->membership) || !worker_link_is_up(agent->options.link))
		return;
	agent->asking = true;
	agent->asked = true;
	membership_ask_to_leave(agent->membership, agent->farewell, on_asked, agent);
}

static void on_left(void *context, enum worker_leaving leaving, const struct error *err)
{
	struct agent *agent = context;

	(void)leaving;
	if (err)
		log_warning("worker.leave_failed", F_ERROR(err));
	end(agent, NULL);
}

static void on_leave_timeout(void *context)
{
	end(context, NULL);
}

static void leave(struct agent *agent)
{
	agent->leaving = true;
	if (!membership_is_held(agent->membership) || !worker_link_is_up(agent->options.link)) {
		end(agent, NULL);
		return;
	}
	timer_arm(&agent->leave, WORKER_LEAVE_MS);
	membership_leave(agent->membership, agent->farewell, on_left, agent);
}

static void stop(struct agent *agent)
{
	log_warning("worker.stopping", F_INT("jobs", agent->roster.count));
	agent->stopping = true;
	agent->farewell = "stopped";
	for (size_t i = 0; i < agent->roster.count; i++)
		run_discard(agent->roster.runs[i]);
	wake(agent);
}

static bool on_turn(void *context)
{
	struct agent *agent = context;

	if (agent->leaving)
		return false;
	roster_sweep(&agent->roster);
	dispatcher_turn(agent->dispatcher, !timer_is_armed(&agent->retry));
	bool is_empty = agent->roster.count == 0 && dispatcher_is_idle(agent->dispatcher);
	if (agent->stopping || (agent->signalled && is_empty))
		leave(agent);
	else if (agent->drained && is_empty)
		ask_to_leave(agent);
	return false;
}

static void resume(struct agent *agent)
{
	if (!worker_link_is_up(agent->options.link) || agent->leaving)
		return;
	membership_join(agent->membership);
	for (size_t i = 0; i < agent->roster.count; i++)
		run_resend(agent->roster.runs[i]);
	wake(agent);
}

static void on_retry(void *context)
{
	resume(context);
}

/* The services' side */
static void on_change(void *context)
{
	wake(context);
}

void agent_link_up(struct agent *agent)
{
	timer_disarm(&agent->refused);
	dispatcher_ask(agent->dispatcher);
	timer_disarm(&agent->retry);
	membership_beat(agent->membership);
	resume(agent);
}

void agent_link_down(struct agent *agent, const struct error *err)
{
	if (err->code != ERR_UNAUTHENTICATED)
		timer_disarm(&agent->refused);
	else if (agent->options.lost_ms_max > 0)
		timer_arm_if_idle(&agent->refused, agent->options.refused_ms_max);
}

void agent_woken(struct agent *agent)
{
	dispatcher_woken(agent->dispatcher);
}

void agent_beat(struct agent *agent)
{
	membership_beat(agent->membership);
}

void agent_stop(struct agent *agent, const char *why)
{
	if (agent->signalled)
		stop(agent);
	else
		drain(agent, why);
	agent->signalled = true;
}

const struct roster *agent_roster(const struct agent *agent)
{
	return &agent->roster;
}

static void open_membership(struct agent *agent)
{
	struct membership_options options = {
		.event = agent->options.event,
		.link = agent->options.link,
		.roster = &agent->roster,
		.slots = agent->options.slots,
		.unenforced = agent->options.unenforced,
		.context = agent,
		.on_joined = on_joined,
		.on_fenced = on_fenced,
		.on_refused = on_refused,
		.on_told = on_told,
		.on_error = on_link_error,
	};

	memcpy(options.blob_key_sha256, agent->options.blob_key_sha256, SHA256_BYTES);
	agent->membership = membership_new(&options);
}

static void open_dispatcher(struct agent *agent)
{
	const struct dispatcher_options options = {
		.event = agent->options.event,
		.link = agent->options.link,
		.membership = agent->membership,
		.roster = &agent->roster,
		.services = &agent->services,
	};

	agent->dispatcher = dispatcher_new(&options);
}

struct agent *agent_new(const struct agent_options *options)
{
	const int64_t normal = SD_EVENT_PRIORITY_NORMAL;
	struct agent *agent = xcalloc(1, sizeof(*agent));

	agent->options = *options;
	agent->services = options->services;
	agent->services.context = agent;
	agent->services.on_change = on_change;
	agent->services.on_link_error = on_link_error;
	roster_init(&agent->roster, options->slots);
	task_init(&agent->turn, options->event, PRIORITY_TURN_END, on_turn, agent);
	timer_init(&agent->retry, options->event, normal, on_retry, agent);
	timer_init(&agent->leave, options->event, normal, on_leave_timeout, agent);
	timer_init(&agent->lost, options->event, normal, on_lost, agent);
	timer_init(&agent->refused, options->event, normal, on_refused_too_long, agent);
	open_membership(agent);
	open_dispatcher(agent);
	count_as_lost(agent);
	return agent;
}

void agent_free(struct agent *agent)
{
	if (!agent)
		return;
	dispatcher_free(agent->dispatcher);
	membership_free(agent->membership);
	roster_release(&agent->roster);
	task_release(&agent->turn);
	timer_release(&agent->retry);
	timer_release(&agent->leave);
	timer_release(&agent->lost);
	timer_release(&agent->refused);
	free(agent);
}
