#include "orchestrator/orchestrator.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <systemd/sd-daemon.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "cloud/cloud.h"
#include "conf/conninfo.h"
#include "conf/environment.h"
#include "core/id.h"
#include "orchestrator/fleet_store.h"
#include "store/pg.h"

#define TICK_BUSY_MS	 250
#define TICK_IDLE_MS	 1000
#define TICK_FAILED_MS	 500
#define OBSERVE_GAP_MS	 5000  /* after a longer one silence is measured anew */
#define SHORT_LIFE_MS	 10000 /* a worker that ends earlier makes the next one wait */
#define HURRY_MS	 4000  /* for workers to give their jobs back */
#define CREATE_DELAY_MS	 250
#define CREATE_DELAY_MAX 30000

struct orchestrator {
	const struct orchestrator_options *options;
	sd_event *event;
	sd_event_source *timer;
	struct pg *pg;
	struct cloud *cloud;
	struct fleet_world world;
	struct fleet_plan plan;
	bool stopping;
	bool hurried;		    /* workers were told to give their jobs back */
	uint64_t hurry_at_ms;	    /* while stopping: running jobs are given back */
	uint64_t observed_ms;	    /* last successful look at the database; 0: never */
	uint64_t watching_since_ms; /* looks have come without a gap since then */
	unsigned short_lives;	    /* workers that ended early, in a row */
	uint64_t create_at_ms;	    /* no new worker before */
	bool leads;
	bool database_down; /* has been said */
};

static void tick_in(struct orchestrator *self, uint64_t delay_ms)
{
	int result = sd_event_source_set_time_relative(self->timer, delay_ms * 1000);
	CHECK(result >= 0);
	result = sd_event_source_set_enabled(self->timer, SD_EVENT_ONESHOT);
	CHECK(result >= 0);
}

static void complain(struct orchestrator *self, const char *event, const struct error *err)
{
	bool down = err->code == ERR_UNAVAILABLE;
	if (err->code == ERR_CONFLICT) { /* the worker was faster; the next look shows it */
		log_debug(event, F_ERROR(err));
		return;
	}
	if (!down || !self->database_down)
		log_warning(event, F_ERROR(err));
	self->database_down = self->database_down || down;
}

/* Silence counts only while we were looking: after a database outage, or when this machine slept,
 * every worker seems silent though it had no way to speak. */
static void limit_silence(struct orchestrator *self)
{
	uint64_t now = clock_boottime_ms();
	if (self->observed_ms == 0 || now - self->observed_ms > OBSERVE_GAP_MS)
		self->watching_since_ms = now;
	self->observed_ms = now;
	uint64_t watched_ms = now - self->watching_since_ms;
	for (size_t i = 0; i < self->world.worker_count; i++) {
		struct fleet_worker *worker = &self->world.workers[i];
		if (worker->silent_ms > watched_ms)
			worker->silent_ms = watched_ms;
	}
}

/* The one choice there is, left alone for a while when workers of it end early. */
static void add_local_choice(struct orchestrator *self)
{
	struct fleet_choice *choice = fleet_world_add_choice(&self->world);
	struct fleet_cooling *cooling = fleet_world_add_cooling(&self->world);
	CHECK(choice != NULL && cooling != NULL);
	*choice = (struct fleet_choice){.server_type = "process", .location = "here"};
	*cooling = (struct fleet_cooling){.server_type = "process",
					  .location = "here",
					  .until_us = (int64_t)self->create_at_ms * 1000,
					  .cause = FLEET_COOLING_REFUSED};
}

static int observe(struct orchestrator *self, struct error *err)
{
	if (fleet_store_read(self->pg, &self->world, err) < 0)
		return -1;
	self->world.now_us = (int64_t)clock_boottime_ms() * 1000;
	self->world.stopping = self->stopping;
	for (size_t i = 0; i < self->world.worker_count; i++) {
		struct fleet_worker *worker = &self->world.workers[i];
		worker->server_id = worker->id;
		worker->drain_us = self->world.now_us;
		worker->absent_looks = cloud_has(self->cloud, worker->id) ? 0 : UINT32_MAX;
	}
	limit_silence(self);
	add_local_choice(self);
	return 0;
}

static int end_worker(struct orchestrator *self, int64_t worker_id, const char *reason,
		      enum worker_state state, struct error *err)
{
	char text[ID_TEXT_BYTES];
	int64_t lost = 0;
	if (fleet_store_end(self->pg, worker_id, reason, state, &lost, err) < 0)
		return -1;
	if (lost > 0) {
		log_warning("worker.jobs_rescued",
			    F_STR("worker", id_format(ID_WORKER, worker_id, text)),
			    F_INT("jobs", lost), F_STR("reason", reason));
		return fleet_store_wake(self->pg, err);
	}
	return 0;
}

static int create_worker(struct orchestrator *self, const struct fleet_action *action,
			 struct error *err)
{
	CLEANUP(cleanup_buf) struct buf conninfo;
	buf_init(&conninfo, CONNINFO_BYTES_MAX);
	CLEANUP(cleanup_free) char *name = NULL;
	char text[ID_TEXT_BYTES];
	int64_t id = 0;
	if (fleet_store_create(self->pg, self->options->conninfo, &id, &name, &conninfo, err) < 0 ||
	    fleet_store_note(self->pg, "worker.create", id, action->rule, action->reason, err) < 0)
		return -1;
	CLEANUP(cleanup_free) char *database = xasprintf("RGRID_WORKER_DATABASE=%s", conninfo.data);
	const char *const added[] = {database, NULL};
	struct environment environment;
	environment_make(added, &environment);
	struct cloud_machine machine = {.worker_id = id,
					.name = name,
					.slots = self->options->policy.slots,
					.environment = environment.entries};
	log_info("worker.create", F_STR("worker", id_format(ID_WORKER, id, text)),
		 F_STR("name", name), F_INT("rule", action->rule), F_STR("reason", action->reason));
	return cloud_create(self->cloud, &machine, err);
}

static int delete_worker(struct orchestrator *self, const struct fleet_action *action,
			 struct error *err)
{
	if (fleet_store_note(self->pg, "worker.delete", action->worker_id, action->rule,
			     action->reason, err) < 0)
		return -1;
	cloud_delete(self->cloud, action->worker_id);
	return end_worker(self, action->worker_id, action->reason, WORKER_FAILED, err);
}

static int drain_worker(struct orchestrator *self, const struct fleet_action *action,
			struct error *err)
{
	if (fleet_store_note(self->pg, "worker.drain", action->worker_id, action->rule,
			     action->reason, err) < 0 ||
	    fleet_store_drain(self->pg, action->worker_id, err) < 0)
		return -1;
	cloud_shut_down(self->cloud, action->worker_id);
	return 0;
}

static int apply_action(struct orchestrator *self, const struct fleet_action *action,
			struct error *err)
{
	switch (action->kind) {
	case FLEET_CREATE_WORKER:
		return create_worker(self, action, err);
	case FLEET_DRAIN_WORKER:
		return drain_worker(self, action, err);
	case FLEET_DELETE_WORKER:
		return delete_worker(self, action, err);
	case FLEET_RETIRE_WORKER:
		return end_worker(self, action->worker_id, action->reason, WORKER_FAILED, err);
	case FLEET_ADOPT_SERVER: /* processes have no listing that could know more */
	case FLEET_DELETE_SERVER:
	case FLEET_FORGET_SERVER:
	case FLEET_UNDRAIN_WORKER: /* a process that was told to drain cannot be called back */
	case FLEET_ACTION_NONE:
	case FLEET_ACTION_KIND_MAX:
		break;
	}
	UNREACHABLE();
}

/* One action that fails does not keep the others from being tried; all come back at the next tick.
 */
static void apply(struct orchestrator *self)
{
	for (size_t i = 0; i < self->plan.action_count; i++) {
		struct error err = {0};
		if (apply_action(self, &self->plan.actions[i], &err) < 0)
			complain(self, "fleet.action_failed", &err);
	}
}

static int act(struct orchestrator *self, bool *ret_busy, struct error *err)
{
	bool leads = false;
	if (fleet_store_lead(self->pg, &leads, err) < 0)
		return -1;
	if (leads != self->leads)
		log_info(leads ? "orchestrator.leads" : "orchestrator.waits",
			 F_INT("workers", self->options->policy.min));
	self->leads = leads;
	self->database_down = false;
	if (!leads) {
		*ret_busy = false;
		return 0;
	}
	if (observe(self, err) < 0)
		return -1;
	fleet_decide(&self->world, &self->options->policy, &self->plan);
	apply(self);
	struct fleet_upkeep upkeep = {0};
	if (fleet_store_upkeep(self->pg, &upkeep, err) < 0)
		return -1;
	if (upkeep.rescued_count > 0)
		log_warning("leases.rescued", F_INT("jobs", upkeep.rescued_count));
	*ret_busy = upkeep.busy || self->plan.action_count > 0;
	return 0;
}

/* First jobs are to end by themselves, then workers are to give them back, then to be gone. */
static void lose_patience(struct orchestrator *self)
{
	uint64_t now = clock_boottime_ms();
	if (now < self->hurry_at_ms)
		return;
	if (!self->hurried)
		cloud_hurry_all(self->cloud);
	self->hurried = true;
	if (now >= self->hurry_at_ms + HURRY_MS)
		cloud_delete_all(self->cloud);
}

static int on_tick(sd_event_source *source, uint64_t usec, void *context)
{
	struct orchestrator *self = context;
	(void)source, (void)usec;
	struct error err = {0};
	bool busy = false;
	uint64_t delay_ms = TICK_FAILED_MS;
	if (act(self, &busy, &err) < 0)
		complain(self, "orchestrator.tick_failed", &err);
	else
		delay_ms = busy || self->stopping ? TICK_BUSY_MS : TICK_IDLE_MS;
	if (self->stopping)
		lose_patience(self);
	if (self->stopping && cloud_count(self->cloud) == 0)
		return sd_event_exit(self->event, 0);
	tick_in(self, delay_ms);
	return 0;
}

static void delay_creation(struct orchestrator *self)
{
	uint64_t delay_ms = CREATE_DELAY_MS;
	for (unsigned i = 0; i < self->short_lives && delay_ms < CREATE_DELAY_MAX; i++)
		delay_ms *= 2;
	if (delay_ms > CREATE_DELAY_MAX)
		delay_ms = CREATE_DELAY_MAX;
	/* The first early death is an accident, replaced at once. */
	if (self->short_lives > 0)
		self->create_at_ms = clock_boottime_ms() + delay_ms;
	self->short_lives++;
}

static void on_worker_end(void *context, const struct cloud_end *end)
{
	struct orchestrator *self = context;
	struct error err = {0};
	char text[ID_TEXT_BYTES];
	(void)id_format(ID_WORKER, end->worker_id, text);
	if (end->in_order)
		log_info("worker.ended", F_STR("worker", text));
	else
		log_warning("worker.died", F_STR("worker", text), F_STR("reason", end->reason),
			    F_INT("lived_ms", end->lived_ms));
	if (end->lived_ms >= SHORT_LIFE_MS)
		self->short_lives = 0;
	else if (!self->stopping)
		delay_creation(self);
	/* Failing, it is found without a machine at the next tick that works. */
	if (end_worker(self, end->worker_id, end->reason,
		       end->in_order ? WORKER_TERMINATED : WORKER_FAILED, &err) < 0)
		complain(self, "worker.end_failed", &err);
	tick_in(self, 0);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
	struct orchestrator *self = context;
	(void)source;
	log_info("orchestrator.stopping", F_INT("signal", info->ssi_signo),
		 F_INT("workers", cloud_count(self->cloud)));
	uint64_t patience_ms = self->stopping ? 0 : self->options->drain_timeout_ms;
	self->hurry_at_ms = clock_boottime_ms() + patience_ms;
	self->stopping = true;
	cloud_shut_down_all(self->cloud);
	tick_in(self, 0);
	return 0;
}

static int add_sources(struct orchestrator *self, struct error *err)
{
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGCHLD);
	int result = sigprocmask(SIG_BLOCK, &signals, NULL) < 0 ? -errno : 0;
	if (result >= 0)
		result = sd_event_default(&self->event);
	if (result >= 0)
		result = sd_event_add_signal(self->event, NULL, SIGTERM, on_signal, self);
	if (result >= 0)
		result = sd_event_add_signal(self->event, NULL, SIGINT, on_signal, self);
	if (result >= 0)
		result = sd_event_add_time_relative(self->event, &self->timer, CLOCK_BOOTTIME, 0,
						    1000, on_tick, self);
	return result < 0 ? error_set_errno(err, ERR_INTERNAL, -result, "cannot make an event loop")
			  : 0;
}

int orchestrator_run(const struct orchestrator_options *options, struct error *err)
{
	struct orchestrator *self = xcalloc(1, sizeof(*self));
	self->options = options;
	fleet_world_init(&self->world);
	fleet_plan_init(&self->plan);
	int result = add_sources(self, err);
	if (result == 0) {
		self->pg = pg_new(options->conninfo);
		struct cloud_options cloud_options = {.event = self->event,
						      .worker_program = options->worker_program,
						      .directory = options->worker_dir,
						      .api_url = options->api_url,
						      .on_end = on_worker_end,
						      .context = self};
		result = cloud_new_local(&cloud_options, &self->cloud, err);
	}
	if (result == 0) {
		(void)sd_notify(0, "READY=1");
		int code = sd_event_loop(self->event);
		if (code < 0)
			result = error_set_errno(err, ERR_INTERNAL, -code, "the event loop failed");
	}
	cloud_free(self->cloud);
	pg_free(self->pg);
	sd_event_source_disable_unref(self->timer);
	sd_event_unref(self->event);
	fleet_world_release(&self->world);
	fleet_plan_release(&self->plan);
	free(self);
	return result;
}
