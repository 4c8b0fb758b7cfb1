#include "worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>

#include "base/check.h"
#include "base/encode.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/str.h"
#include "conf/conninfo.h"
#include "core/id.h"
#include "core/ipv4.h"
#include "core/limits.h"
#include "sandbox/sandbox.h"
#include "store/worker_link.h"
#include "worker/cache.h"
#include "worker/dispatcher.h"
#include "worker/membership.h"
#include "worker/roster.h"
#include "worker/timer.h"
#include "worker/transfer.h"

#define SECRET_CHARS	     32
#define DESCRIPTORS_PER_SLOT 24

struct worker {
	const struct worker_options *options;
	sd_event *event;
	struct sandbox *sandbox;
	struct worker_link *link;
	struct transfers *transfers;
	struct cache *cache;
	int spool_fd;
	struct run_services services;
	char *unenforced;	       /* names joined by ',' */
	char secret[SECRET_CHARS + 1]; /* for the blob service */
	struct roster roster;
	struct membership *membership;
	struct dispatcher *dispatcher;

	bool link_was_up;
	bool signalled; /* it drains for good; the next signal means to stop at once */
	bool drained;	/* by the fleet, which may take that back */
	bool stopping;	/* jobs were killed: nothing is left but to leave */
	bool asking;	/* the fleet, whether to leave, being drained and empty */
	bool asked;	/* since it was drained: it may have left, though no answer came */
	bool waits;	/* it was told to wait: asks again after the next heartbeat */
	bool leaving;	/* for good */
	const char *farewell;
	struct error failure; /* why worker_run ends with -1 */

	struct task turn;   /* once a turn, after everything that changed something */
	struct timer retry; /* after a failed call */
	struct timer leave;
	struct timer lost;    /* armed while it has no standing in the fleet */
	struct timer refused; /* armed while the database refuses the login */
};

static void wake(struct worker *worker)
{
	task_wake(&worker->turn);
}

/* Every failed call of the link comes here. */
static void on_link_error(void *context, const struct error *err)
{
	struct worker *worker = context;

	if (err->code == ERR_FORBIDDEN)
		membership_fence(worker->membership, err->msg);
	else if (err->code != ERR_UNAVAILABLE)
		log_warning("worker.call_failed", F_ERROR(err));
	timer_arm_if_idle(&worker->retry, WORKER_RETRY_MS + rand_below(WORKER_RETRY_MS));
}

static void drain(struct worker *worker, const char *why)
{
	log_info("worker.draining", F_STR("reason", why), F_INT("jobs", worker->roster.count));
	worker->farewell = why;
	dispatcher_drain(worker->dispatcher);
	wake(worker);
}

static void undrain(struct worker *worker)
{
	worker->drained = false;
	worker->asked = false;
	worker->waits = false;
	if (worker->signalled)
		return;
	log_info("worker.undrained", F_INT("jobs", worker->roster.count));
	dispatcher_undrain(worker->dispatcher);
}

static void finish(struct worker *worker)
{
	CHECK(sd_event_exit(worker->event, 0) >= 0);
}

static void on_lost(void *context)
{
	struct worker *worker = context;

	error_set(&worker->failure, ERR_UNAVAILABLE, "the grid has been lost for too long");
	finish(worker);
}

static void on_refused_too_long(void *context)
{
	struct worker *worker = context;

	error_set(&worker->failure, ERR_UNAUTHENTICATED,
		  "the database has refused this worker's login for too long");
	finish(worker);
}

static void count_as_lost(struct worker *worker)
{
	if (worker->options->lost_ms_max > 0)
		timer_arm_if_idle(&worker->lost, worker->options->lost_ms_max);
}

static void on_joined(void *context, int64_t worker_id, int32_t incarnation)
{
	struct worker *worker = context;
	CLEANUP(cleanup_free) char *credential = NULL;
	char id[ID_TEXT_BYTES];

	(void)id_format(ID_WORKER, worker_id, id);
	credential = xasprintf("rgw_%s_%s", id + strlen(id_kind_prefix(ID_WORKER)), worker->secret);
	transfers_set_credential(worker->transfers, credential);
	timer_disarm(&worker->lost);
	(void)sd_notifyf(0, "READY=1\nSTATUS=Joined as %s", id);
	log_info("worker.joined", F_STR("worker", id), F_INT("incarnation", incarnation),
		 F_INT("slots", worker->options->slots));
	dispatcher_ask(worker->dispatcher);
}

static void on_fenced(void *context, const char *why)
{
	struct worker *worker = context;

	log_warning("worker.fenced", F_STR("reason", why), F_INT("jobs", worker->roster.count));
	(void)sd_notify(0, "STATUS=Without standing in the fleet");
	count_as_lost(worker);
	timer_arm_if_idle(&worker->retry, WORKER_RETRY_MS);
	wake(worker);
}

static void on_refused(void *context, const struct error *err)
{
	struct worker *worker = context;

	/* Its answer was lost, or the fleet was faster. */
	if (!worker->asked)
		worker->failure = *err;
	finish(worker);
}

static void on_told(void *context, bool is_to_drain)
{
	struct worker *worker = context;

	if (is_to_drain) {
		worker->waits = false;
		if (!worker->drained && !worker->signalled)
			drain(worker, "drained by the fleet");
		worker->drained = true;
		wake(worker);
	} else if (worker->drained && !worker->asking) { /* else the answer to that tells */
		undrain(worker);
	}
}

static void on_wake(void *context)
{
	struct worker *worker = context;

	dispatcher_woken(worker->dispatcher);
}

static void on_kill(void *context)
{
	struct worker *worker = context;

	membership_beat(worker->membership);
}

static void on_asked(void *context, enum worker_leaving leaving, const struct error *err)
{
	struct worker *worker = context;

	worker->asking = false;
	if (worker->leaving)
		return;
	if (err) {
		on_link_error(worker, err);
		wake(worker);
		return;
	}
	switch (leaving) {
	case LEAVING_DONE:
		finish(worker);
		break;
	case LEAVING_STAY:
		undrain(worker);
		break;
	case LEAVING_WAIT:
		worker->waits = true;
		break;
	}
}

/* Without standing, or without a link, there is nobody to ask: it goes on until there is. */
static void ask_to_leave(struct worker *worker)
{
	if (worker->asking || worker->waits || timer_is_armed(&worker->retry) ||
	    !membership_is_held(worker->membership) || !worker_link_is_up(worker->link))
		return;
	worker->asking = true;
	worker->asked = true;
	membership_ask_to_leave(worker->membership, worker->farewell, on_asked, worker);
}

static void on_left(void *context, enum worker_leaving leaving, const struct error *err)
{
	struct worker *worker = context;

	(void)leaving;
	if (err)
		log_warning("worker.leave_failed", F_ERROR(err));
	finish(worker);
}

static void on_leave_timeout(void *context)
{
	finish(context);
}

static void worker_leave(struct worker *worker)
{
	worker->leaving = true;
	if (!membership_is_held(worker->membership) || !worker_link_is_up(worker->link)) {
		finish(worker);
		return;
	}
	timer_arm(&worker->leave, WORKER_LEAVE_MS);
	membership_leave(worker->membership, worker->farewell, on_left, worker);
}

static void worker_stop(struct worker *worker)
{
	log_warning("worker.stopping", F_INT("jobs", worker->roster.count));
	worker->stopping = true;
	worker->farewell = "stopped";
	for (size_t i = 0; i < worker->roster.count; i++)
		run_discard(worker->roster.runs[i]);
	wake(worker);
}

static bool on_turn(void *context)
{
	struct worker *worker = context;

	if (worker->leaving)
		return false;
	roster_sweep(&worker->roster);
	dispatcher_turn(worker->dispatcher, !timer_is_armed(&worker->retry));
	bool is_empty = worker->roster.count == 0 && dispatcher_is_idle(worker->dispatcher);
	if (worker->stopping || (worker->signalled && is_empty))
		worker_leave(worker);
	else if (worker->drained && is_empty)
		ask_to_leave(worker);
	return false;
}

static void resume(struct worker *worker)
{
	if (!worker_link_is_up(worker->link) || worker->leaving)
		return;
	membership_join(worker->membership);
	for (size_t i = 0; i < worker->roster.count; i++)
		run_resend(worker->roster.runs[i]);
	wake(worker);
}

static void on_retry(void *context)
{
	resume(context);
}

static void on_up(void *context)
{
	struct worker *worker = context;

	log_info("worker.connected", F_STR("name", worker->options->name));
	worker->link_was_up = true;
	timer_disarm(&worker->refused);
	dispatcher_ask(worker->dispatcher);
	timer_disarm(&worker->retry);
	membership_beat(worker->membership);
	resume(worker);
}

static void on_down(void *context, const struct error *err)
{
	struct worker *worker = context;

	if (err->code != ERR_UNAUTHENTICATED)
		timer_disarm(&worker->refused);
	else if (worker->options->lost_ms_max > 0)
		timer_arm_if_idle(&worker->refused, worker->options->refused_ms_max);
	/* Failing attempts to come back are not worth a line each. */
	if (worker->link_was_up)
		log_warning("worker.disconnected", F_ERROR(err));
	else
		log_debug("worker.unconnected", F_ERROR(err));
	worker->link_was_up = false;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
	struct worker *worker = context;

	(void)source;
	if (worker->signalled)
		worker_stop(worker);
	else
		drain(worker, info->ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT");
	worker->signalled = true;
	return 0;
}

/* The services' side */
static void on_change(void *context)
{
	wake(context);
}

/* What runs in one slot needs a few descriptors; the usual limit is for fewer slots than allowed.
 */
static void raise_descriptor_limit(size_t slots)
{
	const rlim_t needed = 256 + (rlim_t)slots * DESCRIPTORS_PER_SLOT;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= needed)
		return;
	limit.rlim_cur = needed < limit.rlim_max ? needed : limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int watch_signals(struct worker *worker, struct error *err)
{
	static const int numbers[] = {SIGTERM, SIGINT};
	sigset_t set;

	(void)signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		sigaddset(&set, numbers[i]);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		sd_event_source *source = NULL;
		int failed =
			sd_event_add_signal(worker->event, &source, numbers[i], on_signal, worker);

		if (failed < 0)
			return error_set_errno(err, ERR_INTERNAL, -failed,
					       "cannot watch for signals");
		(void)sd_event_source_set_priority(source, PRIORITY_LEASE);
		/* Lives as long as the loop. */
		(void)sd_event_source_set_floating(source, 1);
		sd_event_source_unref(source);
	}
	return 0;
}

static int open_directories(struct worker *worker, struct error *err)
{
	const char *state = worker->options->state_directory;
	CLEANUP(cleanup_free) char *cache = xasprintf("%s/cache", state);
	CLEANUP(cleanup_free) char *spool = xasprintf("%s/spool", state);

	if (fs_mkdir_all(spool, 0700, err) < 0)
		return -1;
	worker->spool_fd = open(spool, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (worker->spool_fd < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot open %s", spool);
	return cache_open(worker->event, cache, CACHE_BYTES_MAX, worker->transfers, &worker->cache,
			  err);
}

static void join_unenforced(struct worker *worker)
{
	CLEANUP(cleanup_buf) struct buf names;

	buf_init(&names, 4096);
	for (const char *const *text = sandbox_unenforced(worker->sandbox); *text; text++) {
		if (names.bytes > 0)
			buf_append_char(&names, ',');
		buf_append(&names, *text, strcspn(*text, ":"));
	}
	worker->unenforced = xstrdup(names.data);
}

static void open_membership(struct worker *worker)
{
	struct membership_options options = {
		.event = worker->event,
		.link = worker->link,
		.roster = &worker->roster,
		.slots = worker->options->slots,
		.unenforced = sandbox_unenforced(worker->sandbox),
		.context = worker,
		.on_joined = on_joined,
		.on_fenced = on_fenced,
		.on_refused = on_refused,
		.on_told = on_told,
		.on_error = on_link_error,
	};

	base62_random(worker->secret, SECRET_CHARS);
	sha256_of(worker->secret, SECRET_CHARS, options.blob_key_sha256);
	worker->membership = membership_new(&options);
}

static void open_dispatcher(struct worker *worker)
{
	const struct dispatcher_options options = {
		.event = worker->event,
		.link = worker->link,
		.membership = worker->membership,
		.roster = &worker->roster,
		.services = &worker->services,
	};

	worker->dispatcher = dispatcher_new(&options);
}

/* "ADDRESS", "PORT" of the grid's own side. A name is not followed: workers' machines are told
 * addresses. */
static size_t add_endpoint(struct network_endpoint *all, size_t count, const char *address,
			   const char *port)
{
	struct network_endpoint *endpoint = &all[count];
	struct error ignored = {0};
	uint64_t number = 0;

	if (address == NULL || ipv4_parse(address, &endpoint->address, &ignored) < 0 ||
	    parse_u64(port, 1, UINT16_MAX, &number, &ignored) < 0)
		return count;
	endpoint->port = (uint16_t)number;
	return count + 1;
}

/* Without a private network, database and API are on the public internet, and let this machine in:
 * not its jobs. */
static size_t find_endpoints(const struct worker_options *options, struct network_endpoint *ret)
{
	CLEANUP(cleanup_free) char *host = conninfo_value(options->conninfo, "host");
	CLEANUP(cleanup_free) char *port = conninfo_value(options->conninfo, "port");
	const char *at = strstr(options->api_url, "://");
	CLEANUP(cleanup_free)
	char *api_host = xstrdup(at != NULL ? at + 3 : options->api_url);
	char *api_port = api_host + strcspn(api_host, ":/");
	bool has_port = *api_port == ':';
	size_t count = add_endpoint(ret, 0, host, port != NULL ? port : "5432");

	*api_port++ = '\0';
	if (has_port)
		api_port[strcspn(api_port, "/")] = '\0';
	return add_endpoint(ret, count, api_host, has_port ? api_port : "443");
}

static int worker_open(struct worker *worker, struct error *err)
{
	const struct worker_options *options = worker->options;
	struct network_endpoint endpoints[NETWORK_ENDPOINTS_MAX];
	const struct sandbox_options sandbox = {
		.state_directory = options->state_directory,
		.slots = options->slots,
		.disk_bytes_max = options->disk_bytes,
		.kept_from = endpoints,
		.kept_from_count = find_endpoints(options, endpoints),
	};
	const struct worker_link_options link = {
		.event = worker->event,
		.conninfo = options->conninfo,
		.context = worker,
		.on_up = on_up,
		.on_down = on_down,
		.on_wake = on_wake,
		.on_kill = on_kill,
	};

	raise_descriptor_limit(options->slots);
	if (watch_signals(worker, err) < 0 || sandbox_open(&sandbox, &worker->sandbox, err) < 0 ||
	    transfers_new(worker->event, options->api_url, options->ca_file, &worker->transfers,
			  err) < 0 ||
	    open_directories(worker, err) < 0 || worker_link_new(&link, &worker->link, err) < 0)
		return -1;
	join_unenforced(worker);
	open_membership(worker);
	worker->services = (struct run_services){
		.event = worker->event,
		.sandbox = worker->sandbox,
		.link = worker->link,
		.cache = worker->cache,
		.transfers = worker->transfers,
		.spool_fd = worker->spool_fd,
		.worker_name = options->name,
		.unenforced = worker->unenforced,
		.context = worker,
		.on_change = on_change,
		.on_link_error = on_link_error,
	};
	open_dispatcher(worker);
	count_as_lost(worker);
	/* The loop feeds it by itself; without WATCHDOG_USEC this does nothing. */
	(void)sd_event_set_watchdog(worker->event, true);
	return 0;
}

static void worker_init(struct worker *worker, sd_event *event,
			const struct worker_options *options)
{
	const int64_t normal = SD_EVENT_PRIORITY_NORMAL;

	*worker = (struct worker){.options = options, .event = event, .spool_fd = -1};
	roster_init(&worker->roster, options->slots);
	task_init(&worker->turn, event, PRIORITY_TURN_END, on_turn, worker);
	timer_init(&worker->retry, event, normal, on_retry, worker);
	timer_init(&worker->leave, event, normal, on_leave_timeout, worker);
	timer_init(&worker->lost, event, normal, on_lost, worker);
	timer_init(&worker->refused, event, normal, on_refused_too_long, worker);
}

/* Kills what still runs. The link goes first, so that nothing is answered to a run that is gone. */
static void worker_release(struct worker *worker)
{
	worker_link_free(worker->link);
	dispatcher_free(worker->dispatcher);
	membership_free(worker->membership);
	roster_release(&worker->roster);
	cache_free(worker->cache);
	transfers_free(worker->transfers);
	sandbox_free(worker->sandbox);
	cleanup_fd(&worker->spool_fd);
	free(worker->unenforced);
	task_release(&worker->turn);
	timer_release(&worker->retry);
	timer_release(&worker->leave);
	timer_release(&worker->lost);
	timer_release(&worker->refused);
}

int worker_run(const struct worker_options *options, struct error *err)
{
	sd_event *event = NULL;
	struct worker worker;
	int failed = sd_event_new(&event);
	int result;

	if (failed < 0)
		return error_set_errno(err, ERR_INTERNAL, -failed, "cannot make an event loop");
	worker_init(&worker, event, options);
	result = worker_open(&worker, err);
	if (result == 0) {
		failed = sd_event_loop(event);
		if (failed < 0)
			result = error_set_errno(err, ERR_INTERNAL, -failed,
						 "the event loop failed");
		if (worker.failure.code != ERR_NONE) {
			*err = worker.failure;
			result = -1;
		}
	}
	worker_release(&worker);
	sd_event_unref(event);
	return result;
}
