#include "setup/daemons.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "setup/orphans.h"

#define POLL_US		     25000 /* between two questions whether it is ready */
#define EARLY_DEATHS_MAX     5
#define ORPHANS_PATIENCE     100 /* polls of 20 ms until SIGKILL */
#define ORPHANS_END_MS	     5000
#define API_PATIENCE_MS	     5000
#define POSTGRES_PATIENCE_MS 60000
#define DRAIN_SLACK_MS	     15000 /* for the orchestrator's own part, beyond the jobs' */
#define HURRY_MS	     5000  /* more than the orchestrator gives its workers then */

static const char *const names[DAEMON_COUNT] = {
	[DAEMON_POSTGRES] = "postgres",
	[DAEMON_API] = "api",
	[DAEMON_ORCHESTRATOR] = "orchestrator",
};

static void stop_next(struct daemons *daemons);

static size_t reap(struct daemons *daemons, int signal)
{
	pid_t known[DAEMON_COUNT];
	for (size_t i = 0; i < DAEMON_COUNT; i++)
		known[i] = daemons->services[i].pid;
	return orphans_reap(known, DAEMON_COUNT, signal);
}

/* A successor of PostgreSQL waits for the shared memory, one of the orchestrator for the slots'
 * directories: until the orphans are gone. */
static bool no_orphans(void *context)
{
	struct daemons *daemons = context;
	daemons->orphan_polls++;
	if (reap(daemons, daemons->orphan_polls > ORPHANS_PATIENCE ? SIGKILL : SIGQUIT) > 0)
		return false;
	daemons->orphan_polls = 0;
	return true;
}

static int on_patience_end(sd_event_source *source, uint64_t usec, void *context)
{
	struct daemons *daemons = context;
	(void)source, (void)usec;
	daemons->lost_patience = true;
	stop_next(daemons);
	return 0;
}

static void set_patience(struct daemons *daemons, uint64_t patience_ms)
{
	daemons->patience = sd_event_source_disable_unref(daemons->patience);
	int result = sd_event_add_time_relative(daemons->event, &daemons->patience, CLOCK_BOOTTIME,
						patience_ms * 1000, 0, on_patience_end, daemons);
	CHECK(result >= 0);
}

/* Asks one to end; how firmly depends on how often it was asked and who is waiting. */
static void stop_one(struct daemons *daemons, enum daemon which)
{
	int signal = daemons->lost_patience ? SIGKILL : SIGTERM;
	uint64_t patience_ms = API_PATIENCE_MS;
	if (which == DAEMON_API && daemons->hurry)
		signal = SIGKILL;
	if (which == DAEMON_ORCHESTRATOR)
		/* Asked again, it lets its workers give their jobs back at once. */
		patience_ms = daemons->options.drain_timeout_ms + DRAIN_SLACK_MS;
	if (which == DAEMON_POSTGRES) {
		/* Its fast shutdown is quick, and spares the next start a recovery. */
		signal = daemons->lost_patience ? SIGQUIT : SIGINT;
		patience_ms = POSTGRES_PATIENCE_MS;
	}
	set_patience(daemons, daemons->hurry ? HURRY_MS : patience_ms);
	service_stop(&daemons->services[which], signal);
}

static void stop_next(struct daemons *daemons)
{
	static const enum daemon order[] = {DAEMON_ORCHESTRATOR, DAEMON_API, DAEMON_POSTGRES};

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		if (daemons->started[order[i]]) {
			stop_one(daemons, order[i]);
			return;
		}
	}
	daemons->patience = sd_event_source_disable_unref(daemons->patience);
	daemons->ended = true;
}

static void on_stopped(void *context, struct service *service)
{
	struct daemons *daemons = context;
	size_t which = (size_t)(service - daemons->services);
	CHECK(which < DAEMON_COUNT);
	daemons->started[which] = false;
	daemons->lost_patience = false;
	stop_next(daemons);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
	struct daemons *daemons = context;
	(void)source, (void)info;
	if (daemons->ended)
		return 0;
	if (!daemons->stopping && daemons->started[DAEMON_ORCHESTRATOR])
		(void)fputs(
			"\nStopping; running jobs get time to end. Ctrl-C again stops at once.\n",
			stderr);
	daemons->hurry = daemons->stopping;
	daemons->stopping = true;
	stop_next(daemons);
	return 0;
}

static int add_signals(struct daemons *daemons)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

	sigset_t blocked;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGCHLD);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(&blocked, signals[i]);
	if (sigprocmask(SIG_BLOCK, &blocked, NULL) < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		int result =
			sd_event_add_signal(daemons->event, NULL, signals[i], on_signal, daemons);
		if (result < 0)
			return result;
	}
	return 0;
}

static int open_logs(struct daemons *daemons, struct error *err)
{
	for (size_t i = 0; i < DAEMON_COUNT; i++) {
		CLEANUP(cleanup_free)
		char *path = xasprintf("%s/log/%s.log", daemons->options.dir->path, names[i]);
		if (log_file_open(path, daemons->options.log_bytes_max, &daemons->logs[i], err) < 0)
			return -1;
	}
	return 0;
}

int daemons_init(struct daemons *daemons, const struct daemons_options *options, struct error *err)
{
	*daemons = (struct daemons){.options = *options};
	if (orphans_adopt(err) < 0 || open_logs(daemons, err) < 0)
		return -1;
	int result = sd_event_new(&daemons->event);
	if (result >= 0)
		result = add_signals(daemons);
	return result < 0 ? error_set_errno(err, ERR_INTERNAL, -result, "cannot make an event loop")
			  : 0;
}

void daemons_release(struct daemons *daemons)
{
	daemons->patience = sd_event_source_disable_unref(daemons->patience);
	for (size_t i = DAEMON_COUNT; i-- > 0;) {
		service_release(&daemons->services[i]);
		log_file_release(&daemons->logs[i]);
	}
	if (daemons->event == NULL)
		return;
	uint64_t deadline_ms = clock_boottime_ms() + ORPHANS_END_MS;
	while (reap(daemons, SIGKILL) > 0 && clock_boottime_ms() < deadline_ms)
		(void)sd_event_run(daemons->event, POLL_US);
	daemons->event = sd_event_unref(daemons->event);
}

int daemons_start(struct daemons *daemons, enum daemon which, const struct spawn_options *spawn,
		  struct error *err)
{
	struct service_options options = {.name = names[which],
					  .spawn = *spawn,
					  .event = daemons->event,
					  .log = &daemons->logs[which],
					  .verbose = daemons->options.verbose,
					  .may_start = which == DAEMON_API ? NULL : no_orphans,
					  .on_stopped = on_stopped,
					  .context = daemons};
	if (service_start(&daemons->services[which], &options, err) < 0)
		return -1;
	daemons->started[which] = true;
	return 0;
}

/* One that keeps dying before the grid is ready will not get better by itself. */
static int check_deaths(const struct daemons *daemons, struct error *err)
{
	for (size_t i = 0; i < DAEMON_COUNT; i++) {
		const struct service *service = &daemons->services[i];
		if (!daemons->started[i] || service->early_deaths < EARLY_DEATHS_MAX)
			continue;
		(void)error_set(err, ERR_UNAVAILABLE, "%s does not start: %s", names[i],
				service->last_line[0] != '\0' ? service->last_line
							      : "it ends without a word");
		return error_hint(err, "see %s", daemons->logs[i].path);
	}
	return 0;
}

int daemons_wait(struct daemons *daemons, bool (*ready)(void *context), void *context,
		 uint64_t timeout_ms, struct error *err)
{
	uint64_t started_ms = clock_boottime_ms();
	while (!daemons->ended) {
		if (ready != NULL && !daemons->stopping) {
			if (ready(context))
				return 0;
			if (check_deaths(daemons, err) < 0)
				return -1;
			if (timeout_ms != 0 && clock_boottime_ms() - started_ms > timeout_ms)
				return error_set(err, ERR_TIMEOUT,
						 "it did not happen within %llu s",
						 (unsigned long long)(timeout_ms / 1000));
		}
		int result = sd_event_run(daemons->event, ready != NULL ? POLL_US : UINT64_MAX);
		if (result < 0)
			return error_set_errno(err, ERR_INTERNAL, -result, "the event loop failed");
	}
	return 0;
}
