#include "api/api.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "api/clients.h"
#include "api/followers.h"
#include "api/http_stats.h"
#include "api/listen.h"
#include "api/server.h"
#include "api/submitter.h"
#include "api/waker.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/str.h"
#include "core/limits.h"

#define THREADS_DEFAULT 8
/* libmicrohttpd hangs up on connections idle for a minute; this is for those that it takes for
 * busy. */
#define IDLE_MS_MAX	   75000
#define SWEEP_INTERVAL_S   1
#define STOP_PATIENCE_MS   10000
#define OPEN_FILES_MAX	   65536
#define TLS_FILE_BYTES_MAX ((size_t)64 * 1024)

static void block_signals(sigset_t *ret_ending)
{
	const struct sigaction ignore = {.sa_handler = SIG_IGN};

	CHECK(sigemptyset(ret_ending) == 0);
	CHECK(sigaddset(ret_ending, SIGTERM) == 0);
	CHECK(sigaddset(ret_ending, SIGINT) == 0);
	CHECK(pthread_sigmask(SIG_BLOCK, ret_ending, NULL) == 0);
	CHECK(sigaction(SIGPIPE, &ignore, NULL) == 0);
}

static void raise_open_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= OPEN_FILES_MAX)
		return;
	limit.rlim_cur = limit.rlim_max < OPEN_FILES_MAX ? limit.rlim_max : OPEN_FILES_MAX;
	(void)setrlimit(RLIMIT_NOFILE, &limit); /* with fewer we serve fewer */
}

static int open_socket(const struct api_options *options, int *ret_fd, struct error *err)
{
	if (options->listen_fd < 0)
		return listen_on(options->listen, ret_fd, err);
	return listen_inherit(options->listen_fd, ret_fd, err);
}

/* The library takes the certificate and the key from the same text. */
static int read_identity(const struct api_options *options, struct buf *out, struct error *err)
{
	if (options->tls_file == NULL || options->tls_file[0] == '\0')
		return 0;
	if (fs_read(AT_FDCWD, options->tls_file, out, err) < 0)
		return error_wrap(err, "cannot read the certificate");
	return 0;
}

static void cleanup_server(struct server *server)
{
	CHECK(server->daemon == NULL);
	submitter_free(server->submitter);
	waker_stop(server->waker);
	followers_free(server->followers);
	clients_free(server->clients);
	http_stats_free(server->stats);
	auth_free(server->auth);
	blob_store_free(server->blobs);
	pg_pool_free(server->pool);
	free(server->metrics_text);
	(void)pthread_mutex_destroy(&server->metrics_mutex);
}

static int read_audience(const char *serve, enum route_audience *ret, struct error *err)
{
	if (!str_eq(serve, "all") && !str_eq(serve, "workers"))
		return error_set(err, ERR_INVALID, "serve is all or workers, not \"%s\"", serve);
	*ret = str_eq(serve, "all") ? AUDIENCE_BOTH : AUDIENCE_WORKERS;
	return 0;
}

static int open_stores(struct server *server, const struct api_options *options, size_t threads,
		       struct error *err)
{
	if (blob_store_open(options->blob_directory, &server->blobs, err) < 0)
		return error_wrap(err, "blob store");
	return pg_pool_new(options->conninfo, threads, &server->pool, err);
}

static void wait_for_end(struct server *server, const sigset_t *ending)
{
	const struct timespec interval = {.tv_sec = SWEEP_INTERVAL_S};

	while (sigtimedwait(ending, NULL, &interval) < 0) {
		CHECK(errno == EAGAIN || errno == EINTR);
		clients_sweep(server->clients, IDLE_MS_MAX);
		(void)sd_notify(0, "WATCHDOG=1");
	}
}

static int serve(struct server *server, const struct api_options *options, size_t threads,
		 const sigset_t *ending, struct error *err)
{
	CLEANUP(cleanup_fd) int listen_fd = -1;
	CLEANUP(cleanup_buf) struct buf identity;
	char address[LISTEN_ADDRESS_BYTES];

	buf_init(&identity, TLS_FILE_BYTES_MAX);
	if (read_identity(options, &identity, err) < 0 ||
	    open_socket(options, &listen_fd, err) < 0 ||
	    listen_address(listen_fd, address, err) < 0)
		return -1;
	server->waker = waker_start(options->conninfo);
	server->submitter = submitter_start(options->conninfo, server->waker);
	server->followers = followers_start(options->conninfo);
	if (server_start(server, listen_fd, identity.bytes > 0 ? identity.data : NULL, threads,
			 err) < 0) {
		submitter_stop(server->submitter);
		followers_stop(server->followers);
		return -1;
	}
	(void)TAKE_FD(listen_fd);
	log_info("api.ready", F_STR("address", address), F_INT("threads", threads));
	(void)sd_notifyf(0, "READY=1\nSTATUS=Serving on %s", address);
	if (options->on_ready != NULL)
		options->on_ready(options->context, address);
	wait_for_end(server, ending);
	(void)sd_notify(0, "STOPPING=1");
	log_info("api.stopping");
	server_stop(server, STOP_PATIENCE_MS);
	return 0;
}

int api_run(const struct api_options *options, struct error *err)
{
	size_t threads = options->connections_max > 0 ? options->connections_max : THREADS_DEFAULT;
	sigset_t ending;

	block_signals(&ending);
	raise_open_files();
	CLEANUP(cleanup_server) struct server server = {.metrics_mutex = PTHREAD_MUTEX_INITIALIZER};
	if (read_audience(options->serve, &server.audience, err) < 0 ||
	    open_stores(&server, options, threads, err) < 0)
		return -1;
	server.auth = auth_new(server.pool);
	server.stats = http_stats_new();
	server.clients = clients_new();
	return serve(&server, options, threads, &ending, err);
}
