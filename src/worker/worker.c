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
#include "base/str.h"
#include "conf/conninfo.h"
#include "core/id.h"
#include "core/ipv4.h"
#include "core/limits.h"
#include "sandbox/sandbox.h"
#include "store/worker_link.h"
#include "worker/agent.h"
#include "worker/cache.h"
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
	char *unenforced;	       /* names joined by ',' */
	char secret[SECRET_CHARS + 1]; /* for the blob service */
	struct agent *agent;
	bool link_was_up;
	struct error failure; /* why worker_run ends with -1 */
};

static void on_joined(void *context, int64_t worker_id, int32_t incarnation)
{
	struct worker *worker = context;
	CLEANUP(cleanup_free) char *credential = NULL;
	char id[ID_TEXT_BYTES];

	(void)id_format(ID_WORKER, worker_id, id);
	credential = xasprintf("rgw_%s_%s", id + strlen(id_kind_prefix(ID_WORKER)), worker->secret);
	transfers_set_credential(worker->transfers, credential);
	(void)sd_notifyf(0, "READY=1\nSTATUS=Joined as %s", id);
	log_info("worker.joined", F_STR("worker", id), F_INT("incarnation", incarnation),
		 F_INT("slots", worker->options->slots));
}

static void on_fenced(void *context, const char *why)
{
	(void)context;
	(void)why;
	(void)sd_notify(0, "STATUS=Without standing in the fleet");
}

static void on_ended(void *context, const struct error *failure)
{
	struct worker *worker = context;

	if (failure)
		worker->failure = *failure;
	CHECK(sd_event_exit(worker->event, 0) >= 0);
}

static void on_wake(void *context)
{
	struct worker *worker = context;

	agent_woken(worker->agent);
}

static void on_kill(void *context)
{
	struct worker *worker = context;

	agent_beat(worker->agent);
}

static void on_up(void *context)
{
	struct worker *worker = context;

	log_info("worker.connected", F_STR("name", worker->options->name));
	worker->link_was_up = true;
	agent_link_up(worker->agent);
}

static void on_down(void *context, const struct error *err)
{
	struct worker *worker = context;

	agent_link_down(worker->agent, err);
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
	agent_stop(worker->agent, info->ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT");
	return 0;
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

static void open_agent(struct worker *worker)
{
	const struct worker_options *options = worker->options;
	struct agent_options agent = {
		.event = worker->event,
		.link = worker->link,
		.services = {.event = worker->event,
			     .sandbox = worker->sandbox,
			     .link = worker->link,
			     .cache = worker->cache,
			     .transfers = worker->transfers,
			     .spool_fd = worker->spool_fd,
			     .worker_name = options->name,
			     .unenforced = worker->unenforced},
		.slots = options->slots,
		.unenforced = sandbox_unenforced(worker->sandbox),
		.lost_ms_max = options->lost_ms_max,
		.refused_ms_max = options->refused_ms_max,
		.context = worker,
		.on_joined = on_joined,
		.on_fenced = on_fenced,
		.on_ended = on_ended,
	};

	base62_random(worker->secret, SECRET_CHARS);
	sha256_of(worker->secret, SECRET_CHARS, agent.blob_key_sha256);
	worker->agent = agent_new(&agent);
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
	open_agent(worker);
	/* The loop feeds it by itself; without WATCHDOG_USEC this does nothing. */
	(void)sd_event_set_watchdog(worker->event, true);
	return 0;
}

/* Kills what still runs. The link goes first, so that nothing is answered to a run that is gone. */
static void worker_release(struct worker *worker)
{
	worker_link_free(worker->link);
	agent_free(worker->agent);
	cache_free(worker->cache);
	transfers_free(worker->transfers);
	sandbox_free(worker->sandbox);
	cleanup_fd(&worker->spool_fd);
	free(worker->unenforced);
}

int worker_run(const struct worker_options *options, struct error *err)
{
	sd_event *event = NULL;
	struct worker worker = {.options = options, .spool_fd = -1};
	int failed = sd_event_new(&event);
	int result;

	if (failed < 0)
		return error_set_errno(err, ERR_INTERNAL, -failed, "cannot make an event loop");
	worker.event = event;
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
