#include "worker/transfer.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/rand.h"
#include "base/str.h"
#include "worker/timer.h"

enum transfer_state { TRANSFER_QUEUED = 1, TRANSFER_RUNNING, TRANSFER_RESTING };

struct transfer {
	struct transfers *owner;
	struct transfer *next; /* of owner->all */
	enum transfer_state state;
	char hex[SHA256_HEX_BYTES];
	uint8_t blob[SHA256_BYTES];
	bool is_upload;
	int fd;
	uint64_t size_bytes; /* of an upload */
	uint64_t offset;     /* so far, in this attempt */
	struct sha256 *digest;
	transfer_done_fn callback;
	void *context;
	CURL *easy;
	struct curl_slist *headers;
	struct error local; /* a failure of ours within curl's callbacks */
	char curl_text[CURL_ERROR_SIZE];
	uint64_t first_failure_ms; /* 0: none yet */
	uint64_t backoff_ms;
	struct timer rest;
};

struct transfers {
	sd_event *event;
	CURLM *multi;
	char *api_url;
	char *ca_file;	      /* NULL: the system's */
	char *authorization;  /* header line */
	struct transfer *all; /* in order of arrival */
	size_t running;
	struct timer curl_timer;
	struct task start; /* fills free places */
};

static void collect_finished(struct transfers *transfers);

static void socket_action(struct transfers *transfers, curl_socket_t fd, int events)
{
	int running;

	(void)curl_multi_socket_action(transfers->multi, fd, events, &running);
	collect_finished(transfers);
}

static int on_socket_event(sd_event_source *source, int fd, uint32_t events, void *context)
{
	int mask = 0;

	(void)source;
	if ((events & EPOLLIN) != 0)
		mask |= CURL_CSELECT_IN;
	if ((events & EPOLLOUT) != 0)
		mask |= CURL_CSELECT_OUT;
	if ((events & (EPOLLERR | EPOLLHUP)) != 0)
		mask |= CURL_CSELECT_ERR;
	socket_action(context, fd, mask);
	return 0;
}

/* curl says what it wants to know of a socket. */
static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *socket)
{
	struct transfers *transfers = context;
	sd_event_source *source = socket;
	uint32_t events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		sd_event_source_disable_unref(source);
		(void)curl_multi_assign(transfers->multi, fd, NULL);
		return 0;
	}
	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		events |= EPOLLIN;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		events |= EPOLLOUT;
	if (source) {
		(void)sd_event_source_set_io_events(source, events);
		return 0;
	}
	if (sd_event_add_io(transfers->event, &source, fd, events, on_socket_event, transfers) < 0)
		return -1;
	(void)curl_multi_assign(transfers->multi, fd, source);
	return 0;
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *context)
{
	struct transfers *transfers = context;

	(void)multi;
	if (timeout_ms < 0)
		timer_disarm(&transfers->curl_timer);
	else
		timer_arm(&transfers->curl_timer, (uint64_t)timeout_ms);
	return 0;
}

static void on_curl_time(void *context)
{
	socket_action(context, CURL_SOCKET_TIMEOUT, 0);
}

static size_t on_write(char *data, size_t size, size_t count, void *context)
{
	struct transfer *transfer = context;
	size_t bytes = size * count;
	long status = 0;

	/* The body of a refusal is not the blob. */
	(void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200 || transfer->is_upload)
		return bytes;
	if (fs_write_all(transfer->fd, data, bytes, &transfer->local) < 0)
		return 0;
	sha256_update(transfer->digest, data, bytes);
	transfer->offset += bytes;
	return bytes;
}

static size_t on_read(char *data, size_t size, size_t count, void *context)
{
	struct transfer *transfer = context;
	uint64_t left = transfer->size_bytes - transfer->offset;
	size_t bytes = size * count;
	ssize_t got;

	if (bytes > left)
		bytes = (size_t)left;
	got = pread(transfer->fd, data, bytes, (off_t)transfer->offset);
	if (got < 0 || (got == 0 && bytes > 0)) {
		(void)error_set(&transfer->local, ERR_INTERNAL,
				"a file changed while it was being uploaded");
		return CURL_READFUNC_ABORT;
	}
	transfer->offset += (uint64_t)got;
	return (size_t)got;
}

static int on_seek(void *context, curl_off_t offset, int origin)
{
	struct transfer *transfer = context;

	if (origin != SEEK_SET || offset < 0)
		return CURL_SEEKFUNC_CANTSEEK;
	transfer->offset = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

static void transfer_stop(struct transfer *transfer)
{
	if (transfer->easy) {
		(void)curl_multi_remove_handle(transfer->owner->multi, transfer->easy);
		curl_easy_cleanup(transfer->easy);
		transfer->easy = NULL;
		transfer->owner->running--;
		task_wake(&transfer->owner->start);
	}
	curl_slist_free_all(transfer->headers);
	transfer->headers = NULL;
}

static void transfer_options(struct transfer *transfer, const char *url)
{
	CURL *easy = transfer->easy;

	(void)curl_easy_setopt(easy, CURLOPT_URL, url);
	(void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	if (transfer->owner->ca_file) {
		(void)curl_easy_setopt(easy, CURLOPT_CAINFO, transfer->owner->ca_file);
		(void)curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}
	(void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	(void)curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
	(void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->curl_text);
	(void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
	(void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "rgrid-worker/" RGRID_VERSION);
	(void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, TRANSFER_CONNECT_MS);
	(void)curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, TRANSFER_STALL_S);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_write);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
	if (!transfer->is_upload)
		return;
	(void)curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)transfer->size_bytes);
	(void)curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
	(void)curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
	(void)curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
	(void)curl_easy_setopt(easy, CURLOPT_SEEKDATA, transfer);
}

static void transfer_start(struct transfer *transfer)
{
	struct transfers *owner = transfer->owner;
	CLEANUP(cleanup_free)
	char *url = xasprintf("%s/api/v1/blobs/%s", owner->api_url, transfer->hex);

	transfer->state = TRANSFER_RUNNING;
	owner->running++;
	transfer->offset = 0;
	transfer->curl_text[0] = '\0';
	error_clear(&transfer->local);
	if (!transfer->is_upload) {
		uint8_t ignored[SHA256_BYTES];

		sha256_finish(transfer->digest, ignored);
		if (ftruncate(transfer->fd, 0) < 0 || lseek(transfer->fd, 0, SEEK_SET) < 0)
			(void)error_set_errno(&transfer->local, ERR_INTERNAL, errno,
					      "cannot rewind a download");
	}
	transfer->easy = curl_easy_init();
	CHECK(transfer->easy != NULL);
	transfer->headers = curl_slist_append(transfer->headers, owner->authorization);
	/* To wait for "100 Continue" would cost each small file a round trip. */
	transfer->headers = curl_slist_append(transfer->headers, "Expect:");
	transfer->headers =
		curl_slist_append(transfer->headers, "Content-Type: application/octet-stream");
	CHECK(transfer->headers != NULL);
	transfer_options(transfer, url);
	CHECK(curl_multi_add_handle(owner->multi, transfer->easy) == CURLM_OK);
}

static bool on_start(void *context)
{
	struct transfers *transfers = context;

	for (struct transfer *transfer = transfers->all; transfer; transfer = transfer->next) {
		if (transfers->running >= TRANSFERS_RUNNING_MAX)
			break;
		if (transfer->state == TRANSFER_QUEUED)
			transfer_start(transfer);
	}
	return false;
}

static int http_failure(const struct transfer *transfer, long status, struct error *err)
{
	const char *what = transfer->is_upload ? "store" : "fetch";

	if (status == 404)
		return error_set(err, ERR_NOT_FOUND, "blob %.12s is not in the blob store",
				 transfer->hex);
	if (status == 507)
		return error_set(err, ERR_NO_SPACE, "the blob store is full");
	return error_set(err, error_code_from_http(status), "cannot %s blob %.12s: HTTP status %ld",
			 what, transfer->hex, status);
}

/* What became of the attempt: 0, or -1 with the reason. */
static int attempt_result(struct transfer *transfer, CURLcode code, struct error *err)
{
	uint8_t digest[SHA256_BYTES];
	long status = 0;

	(void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	if (transfer->local.code != ERR_NONE) {
		*err = transfer->local;
		return -1;
	}
	/* An API that refuses early may close before it has read all. */
	if (status >= 300)
		return http_failure(transfer, status, err);
	if (code != CURLE_OK)
		return error_set(err, ERR_UNAVAILABLE, "cannot reach the API at %s: %s",
				 transfer->owner->api_url,
				 transfer->curl_text[0] ? transfer->curl_text
							: curl_easy_strerror(code));
	if (transfer->is_upload)
		return 0;
	sha256_finish(transfer->digest, digest);
	if (!sha256_equal(digest, transfer->blob))
		return error_set(err, ERR_UNAVAILABLE, "blob %.12s arrived damaged", transfer->hex);
	return 0;
}

static bool may_get_better(const struct transfer *transfer, const struct error *err)
{
	uint64_t patience_ms = TRANSFER_PATIENCE_MS;

	if (transfer->local.code != ERR_NONE)
		return false;
	if (err->code == ERR_NO_SPACE)
		patience_ms = TRANSFER_FULL_PATIENCE_MS;
	else if (!error_is_retryable(err->code) && err->code != ERR_INTERNAL)
		return false;
	return clock_boottime_ms() - transfer->first_failure_ms < patience_ms;
}

static void transfer_free(struct transfer *transfer)
{
	struct transfer **link = &transfer->owner->all;

	while (*link != transfer)
		link = &(*link)->next;
	*link = transfer->next;
	transfer_stop(transfer);
	timer_release(&transfer->rest);
	sha256_free(transfer->digest);
	free(transfer);
}

static void transfer_ended(struct transfer *transfer, CURLcode code)
{
	transfer_done_fn callback = transfer->callback;
	void *context = transfer->context;
	struct error err;
	bool failed = attempt_result(transfer, code, &err) < 0;

	transfer_stop(transfer);
	if (failed && transfer->first_failure_ms == 0)
		transfer->first_failure_ms = clock_boottime_ms();
	if (failed && may_get_better(transfer, &err)) {
		transfer->state = TRANSFER_RESTING;
		timer_arm(&transfer->rest,
			  transfer->backoff_ms / 2 + rand_below(transfer->backoff_ms));
		transfer->backoff_ms *= 2;
		if (transfer->backoff_ms > TRANSFER_BACKOFF_MAX_MS)
			transfer->backoff_ms = TRANSFER_BACKOFF_MAX_MS;
		return;
	}
	transfer_free(transfer);
	callback(context, failed ? &err : NULL);
}

static void collect_finished(struct transfers *transfers)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(transfers->multi, &left)) != NULL) {
		char *private = NULL;
		CURLcode code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
		transfer_ended((struct transfer *)(void *)private, code);
	}
}

static void on_rested(void *context)
{
	struct transfer *transfer = context;

	transfer->state = TRANSFER_QUEUED;
	task_wake(&transfer->owner->start);
}

static struct transfer *transfer_new(struct transfers *transfers, const uint8_t blob[SHA256_BYTES],
				     int fd, transfer_done_fn callback, void *context)
{
	struct transfer *transfer = xcalloc(1, sizeof(*transfer));
	struct transfer **link = &transfers->all;

	transfer->owner = transfers;
	transfer->state = TRANSFER_QUEUED;
	memcpy(transfer->blob, blob, SHA256_BYTES);
	sha256_to_hex(blob, transfer->hex);
	transfer->fd = fd;
	transfer->callback = callback;
	transfer->context = context;
	transfer->digest = sha256_new();
	transfer->backoff_ms = TRANSFER_BACKOFF_MIN_MS;
	timer_init(&transfer->rest, transfers->event, SD_EVENT_PRIORITY_NORMAL, on_rested,
		   transfer);
	while (*link)
		link = &(*link)->next;
	*link = transfer;
	task_wake(&transfers->start);
	return transfer;
}

struct transfer *transfer_download(struct transfers *transfers, const uint8_t blob[SHA256_BYTES],
				   int fd, transfer_done_fn callback, void *context)
{
	return transfer_new(transfers, blob, fd, callback, context);
}

struct transfer *transfer_upload(struct transfers *transfers, const uint8_t blob[SHA256_BYTES],
				 int fd, uint64_t size_bytes, transfer_done_fn callback,
				 void *context)
{
	struct transfer *transfer = transfer_new(transfers, blob, fd, callback, context);

	transfer->is_upload = true;
	transfer->size_bytes = size_bytes;
	return transfer;
}

void transfer_cancel(struct transfer *transfer)
{
	if (transfer)
		transfer_free(transfer);
}

int transfers_new(sd_event *event, const char *api_url, const char *ca_file, struct transfers **ret,
		  struct error *err)
{
	struct transfers *transfers;
	size_t bytes = strlen(api_url);

	if (!str_has_prefix(api_url, "http://") && !str_has_prefix(api_url, "https://"))
		return error_set(err, ERR_INVALID,
				 "the API's address \"%s\" is not an http:// or https:// URL",
				 api_url);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return error_set(err, ERR_INTERNAL, "cannot initialise libcurl");
	transfers = xcalloc(1, sizeof(*transfers));
	transfers->event = sd_event_ref(event);
	while (bytes > 0 && api_url[bytes - 1] == '/')
		bytes--;
	transfers->api_url = xstrndup(api_url, bytes);
	transfers->ca_file = ca_file ? xstrdup(ca_file) : NULL;
	transfers->authorization = xstrdup("Authorization:");
	transfers->multi = curl_multi_init();
	CHECK(transfers->multi != NULL);
	timer_init(&transfers->curl_timer, event, SD_EVENT_PRIORITY_NORMAL, on_curl_time,
		   transfers);
	task_init(&transfers->start, event, SD_EVENT_PRIORITY_NORMAL, on_start, transfers);
	(void)curl_multi_setopt(transfers->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
	(void)curl_multi_setopt(transfers->multi, CURLMOPT_SOCKETDATA, transfers);
	(void)curl_multi_setopt(transfers->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
	(void)curl_multi_setopt(transfers->multi, CURLMOPT_TIMERDATA, transfers);
	*ret = transfers;
	return 0;
}

void transfers_free(struct transfers *transfers)
{
	if (!transfers)
		return;
	CHECK(transfers->all == NULL);
	(void)curl_multi_cleanup(transfers->multi);
	timer_release(&transfers->curl_timer);
	task_release(&transfers->start);
	sd_event_unref(transfers->event);
	free(transfers->api_url);
	free(transfers->ca_file);
	free(transfers->authorization);
	free(transfers);
	curl_global_cleanup();
}

void transfers_set_credential(struct transfers *transfers, const char *credential)
{
	free(transfers->authorization);
	transfers->authorization = xasprintf("Authorization: Bearer %s", credential);
}
