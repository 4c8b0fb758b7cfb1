#include "orchestrator/orchestrator.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <systemd/sd-daemon.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "cloud/cloud.h"
#include "core/id.h"
#include "orchestrator/activity.h"
#include "orchestrator/dry_run.h"
#include "orchestrator/fleet_loop.h"
#include "orchestrator/fleet_store.h"
#include "orchestrator/local_fleet.h"
#include "orchestrator/wake.h"
#include "store/pg.h"

#define TICK_FAILED_MS 500
#define TICK_MAX_MS    1000 /* upkeep comes at least so often */
#define HURRY_MS       4000 /* for workers to give their jobs back */
#define WAKE_CHANNEL   "rg_wake"

struct orchestrator {
	const struct orchestrator_options *options;
	sd_event *event;
	sd_event_source *timer;
	struct pg *pg;
	struct fleet_store_pg *store_pg;
	struct fleet_store store;
	struct cloud *processes; /* local workers; NULL with a provider */
	struct local_fleet *local;
	struct fleet_cloud local_cloud;
	struct fleet_listener listener;
	struct fleet_loop *loop;
	struct wake *wake;
	struct activity *activity;
	uint64_t stepped_ms; /* when the last step began */
	bool stopping;
	bool hurried;	      /* workers were told to give their jobs back */
	uint64_t hurry_at_ms; /* while stopping: running jobs are given back */
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

static void on_done(void *context, const struct fleet_done *done)
{
	struct orchestrator *self = context;
	const struct fleet_action *action = done->action;
	char worker[ID_TEXT_BYTES] = "";

	if (done->err != NULL) {
		complain(self, action != NULL ? "fleet.action_failed" : "fleet.look_failed",
			 done->err);
		return;
	}
	CHECK(action != NULL);
	const char *kind = fleet_action_kind_name(action->kind);
	if (done->worker_id != 0)
		(void)id_format(ID_WORKER, done->worker_id, worker);
	if (done->message != NULL) {
		log_warning("fleet.refused", F_STR("action", kind), F_STR("worker", worker),
			    F_STR("message", done->message), F_INT("rule", action->rule));
		return;
	}
	if (done->is_order) {
		log_info("fleet.server_deleting", F_STR("worker", worker),
			 F_INT("server", done->server_id));
		return;
	}
	log_info("fleet.action", F_STR("action", kind), F_STR("worker", worker),
		 F_STR("name", done->name != NULL ? done->name : ""),
		 F_INT("server", done->server_id), F_INT("rule", action->rule),
		 F_STR("reason", action->reason), F_INT("requeued", done->requeued));
	if (action->kind == FLEET_CREATE_WORKER && done->server_id != 0) {
		CLEANUP(cleanup_free)
		char *event = xasprintf("Worker %s provisioned successfully", done->name);
		log_info(event, F_STR("worker", worker), F_INT("server", done->server_id));
	}
}

static int step(struct orchestrator *self, uint64_t *ret_delay_ms, struct error *err)
{
	struct fleet_step step = {0};

	wake_tend(self->wake);
	self->stepped_ms = clock_boottime_ms();
	if (fleet_loop_step(self->loop, &step, err) < 0)
		return -1;
	if (step.leads != self->leads)
		log_info(step.leads ? "orchestrator.leads" : "orchestrator.waits");
	self->leads = step.leads;
	self->database_down = false;
	*ret_delay_ms = step.next_ms < TICK_MAX_MS ? step.next_ms : TICK_MAX_MS;
	if (step.next_ms >= TICK_MAX_MS && self->options->quiet_ms != 0)
		*ret_delay_ms = self->options->quiet_ms;
	if (!step.leads)
		return 0;
	if (step.rescued_count > 0)
		log_warning("leases.rescued", F_INT("jobs", step.rescued_count));
	activity_workers(self->activity, fleet_loop_world(self->loop));
	if (activity_jobs(self->activity, self->pg, err) < 0)
		return -1;
	return fleet_store_publish(self->store_pg, fleet_loop_world(self->loop),
				   fleet_loop_last_plan(self->loop), &self->options->policy, err);
}

/* First jobs are to end by themselves, then workers are to give them back, then to be gone. */
static void lose_patience(struct orchestrator *self)
{
	uint64_t now = clock_boottime_ms();
	if (now < self->hurry_at_ms)
		return;
	if (!self->hurried)
		cloud_hurry_all(self->processes);
	self->hurried = true;
	if (now >= self->hurry_at_ms + HURRY_MS)
		cloud_delete_all(self->processes);
}

static void tell_supervisor(struct orchestrator *self)
{
	const struct fleet_world *world = fleet_loop_world(self->loop);

	(void)sd_notifyf(0, "STATUS=%s, %zu workers known\nWATCHDOG=1",
			 self->leads ? "leading" : "waiting for the leader", world->worker_count);
}

static int on_tick(sd_event_source *source, uint64_t usec, void *context)
{
	struct orchestrator *self = context;
	(void)source, (void)usec;
	struct error err = {0};
	uint64_t delay_ms = TICK_FAILED_MS;
	if (step(self, &delay_ms, &err) < 0) {
		delay_ms = TICK_FAILED_MS;
		complain(self, "orchestrator.tick_failed", &err);
	}
	tell_supervisor(self);
	if (self->stopping) {
		lose_patience(self);
		if (cloud_count(self->processes) == 0)
			return sd_event_exit(self->event, 0);
		if (delay_ms > TICK_FAILED_MS)
			delay_ms = TICK_FAILED_MS;
	}
	tick_in(self, delay_ms);
	return 0;
}

static void on_worker_end(void *context, const struct cloud_end *end)
{
	struct orchestrator *self = context;
	char text[ID_TEXT_BYTES];
	(void)id_format(ID_WORKER, end->worker_id, text);
	if (end->in_order)
		log_info("worker.ended", F_STR("worker", text));
	else
		log_warning("worker.died", F_STR("worker", text), F_STR("reason", end->reason),
			    F_INT("lived_ms", end->lived_ms));
	fleet_loop_look(self->loop);
	tick_in(self, 0);
}

/* Submissions come in streams; one look at the start of each is early enough for the rest. */
static void on_wake(void *context)
{
	struct orchestrator *self = context;
	uint64_t since_ms = clock_boottime_ms() - self->stepped_ms;

	tick_in(self, since_ms < 100 ? 100 - since_ms : 0);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
	struct orchestrator *self = context;
	(void)source;
	log_info("orchestrator.stopping", F_INT("signal", info->ssi_signo));
	(void)sd_notify(0, "STOPPING=1");
	if (self->processes == NULL)
		return sd_event_exit(self->event, 0);
	uint64_t patience_ms = self->stopping ? 0 : self->options->local->drain_timeout_ms;
	self->hurry_at_ms = clock_boottime_ms() + patience_ms;
	self->stopping = true;
	fleet_loop_stop(self->loop);
	cloud_shut_down_all(self->processes);
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

/* The parts that need no event loop. */
static int open_fleet(struct orchestrator *self, struct error *err)
{
	const struct orchestrator_options *options = self->options;
	struct fleet_store_options store_options = {.worker_conninfo = options->worker_conninfo,
						    .name_prefix = options->name_prefix,
						    .sized = options->local == NULL,
						    .hour_ms = options->policy.hour_ms};
	const struct fleet_cloud *cloud = options->cloud;

	self->pg = pg_new(options->conninfo);
	store_options.pg = self->pg;
	self->store_pg = fleet_store_pg_new(&store_options, &self->store);
	self->activity = activity_new();
	if (options->local != NULL) {
		struct cloud_options cloud_options = {.event = self->event,
						      .worker_program =
							      options->local->worker_program,
						      .directory = options->local->worker_dir,
						      .api_url = options->local->api_url,
						      .on_end = on_worker_end,
						      .context = self};
		if (cloud_new_local(&cloud_options, &self->processes, err) < 0)
			return -1;
		self->local = local_fleet_new(self->processes, &self->local_cloud);
		cloud = &self->local_cloud;
	}
	self->listener = (struct fleet_listener){.context = self, .done = on_done};
	self->loop = fleet_loop_new(&self->store, cloud, &options->policy, &self->listener);
	return 0;
}

static void orchestrator_release(struct orchestrator *self)
{
	fleet_loop_free(self->loop);
	local_fleet_free(self->local);
	cloud_free(self->processes);
	wake_free(self->wake);
	activity_free(self->activity);
	fleet_store_pg_free(self->store_pg);
	pg_free(self->pg);
	sd_event_source_disable_unref(self->timer);
	sd_event_unref(self->event);
	free(self);
}

static int run(struct orchestrator *self, struct error *err)
{
	if (add_sources(self, err) < 0 || open_fleet(self, err) < 0)
		return -1;
	struct wake_options wake_options = {.event = self->event,
					    .conninfo = self->options->conninfo,
					    .channel = WAKE_CHANNEL,
					    .on_wake = on_wake,
					    .context = self};
	self->wake = wake_new(&wake_options);
	(void)sd_notify(0, "READY=1");
	int code = sd_event_loop(self->event);
	if (code < 0)
		return error_set_errno(err, ERR_INTERNAL, -code, "the event loop failed");
	fleet_store_resign(self->store_pg);
	return 0;
}

int orchestrator_run(const struct orchestrator_options *options, struct error *err)
{
	struct orchestrator *self = xcalloc(1, sizeof(*self));
	self->options = options;
	int result = run(self, err);
	orchestrator_release(self);
	return result;
}

int orchestrator_dry_run(const struct orchestrator_options *options, struct error *err)
{
	struct orchestrator *self = xcalloc(1, sizeof(*self));
	self->options = options;
	int result = add_sources(self, err);
	if (result == 0)
		result = open_fleet(self, err);
	if (result == 0)
		result = fleet_loop_plan(self->loop, err);
	if (result == 0)
		dry_run_print(fleet_loop_world(self->loop), fleet_loop_last_plan(self->loop));
	orchestrator_release(self);
	return result;
}
