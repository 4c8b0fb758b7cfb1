#include "cloud/hetzner_call.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/rand.h"
#include "base/str.h"
#include "cloud/hetzner_failure.h"
#include "cloud/hetzner_parse.h"
#include "cloud/hetzner_retry.h"

#define CONNECT_TIMEOUT_MS 10000L
#define BUDGET_WAIT_MS_MAX 10000 /* for requests to become free again */
#define POLL_MS		   100	 /* how long an interruption may go unnoticed */

/* One call on its way: which handle has it, or when it is tried again. */
struct flight {
	struct hetzner_call *call;
	CURL *handle; /* NULL while it waits */
	struct curl_slist *headers;
	struct buf bytes; /* of the reply */
	int64_t start_ms; /* not before */
	unsigned tries;
	bool is_done;
	/* Headers of the answer */
	uint64_t limit, remaining, reset_s;
	int64_t date_s;
};

void hetzner_call_init(struct hetzner_call *call, const char *method, const char *format, ...)
{
	va_list arguments;

	*call = (struct hetzner_call){.method = method};
	va_start(arguments, format);
	int bytes = vsnprintf(call->path, sizeof(call->path), format, arguments);
	va_end(arguments);
	CHECK(bytes > 0 && (size_t)bytes < sizeof(call->path));
}

void hetzner_call_refuse(struct hetzner_call *call, const char *name, const char *format, ...)
{
	char text[128];
	va_list arguments;

	if (call->refused)
		return;
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	call->refused = true;
	(void)error_set(&call->err, ERR_INVALID, "cannot ask Hetzner Cloud, %s %.*s: \"%s\" %s",
			call->method, (int)strcspn(call->path, "?"), call->path, name, text);
	(void)error_field(&call->err, "%s", name);
	(void)error_hint(&call->err, "nothing was sent; correct \"%s\"", name);
}

void hetzner_call_text(struct hetzner_call *call, json_t *body, const char *name, const char *value)
{
	json_t *text = json_string(value);

	if (text == NULL)
		hetzner_call_refuse(call, name, "is not UTF-8");
	else
		CHECK(json_object_set_new(body, name, text) == 0);
}

void hetzner_call_labels(struct hetzner_call *call, json_t *body,
			 const struct hetzner_labels *labels)
{
	json_t *json = json_object();

	if (labels != NULL && labels->omitted > 0)
		hetzner_call_refuse(call, "labels",
				    "are more, or longer, than RGrid can keep: %zu would be lost",
				    labels->omitted);
	for (size_t i = 0; labels != NULL && i < labels->count; i++) {
		const struct hetzner_label *label = &labels->items[i];

		if (str_is_utf8(label->key, strlen(label->key)))
			hetzner_call_text(call, json, label->key, label->value);
		else
			hetzner_call_refuse(call, "labels", "have a key that is not UTF-8");
	}
	CHECK(json_object_set_new(body, "labels", json) == 0);
}

void hetzner_call_body(struct hetzner_call *call, json_t *body)
{
	CHECK(body != NULL);
	call->body = json_to_text(body);
	json_decref(body);
}

void hetzner_call_release(struct hetzner_call *call)
{
	free(call->body);
	json_decref(call->reply);
	*call = (struct hetzner_call){0};
}

void hetzner_call_query(struct hetzner_call *call, const char *name, const char *value)
{
	CLEANUP(cleanup_buf) struct buf text;
	size_t used = strlen(call->path);

	buf_init(&text, HETZNER_PATH_BYTES);
	if (!str_is_utf8(value, strlen(value))) {
		hetzner_call_refuse(call, name, "is not UTF-8");
		return;
	}
	buf_appendf(&text, "%s%s=", strchr(call->path, '?') != NULL ? "&" : "?", name);
	url_encode(&text, value, false);
	if (text.overflowed || used + text.bytes >= sizeof(call->path)) {
		hetzner_call_refuse(call, name, "is too long");
		return;
	}
	memcpy(call->path + used, text.data, text.bytes + 1);
}

static bool is_interrupted(const struct hetzner *hetzner)
{
	return hetzner->is_interrupted != NULL &&
	       hetzner->is_interrupted(hetzner->interrupt_context);
}

bool hetzner_sleep(const struct hetzner *hetzner, uint64_t ms)
{
	uint64_t until_ms = clock_boottime_ms() + ms;

	for (uint64_t now = clock_boottime_ms(); now < until_ms; now = clock_boottime_ms()) {
		if (is_interrupted(hetzner))
			return false;
		(void)poll(NULL, 0, until_ms - now < POLL_MS ? (int)(until_ms - now) : POLL_MS);
	}
	return !is_interrupted(hetzner);
}

/* libcurl's callbacks */

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
	struct flight *flight = context;

	buf_append(&flight->bytes, data, size * count);
	return flight->bytes.overflowed ? 0 : size * count; /* 0 ends the transfer */
}

/* "name: value" without the line's end; the value is copied to out if the name is this one. */
static bool header_is(const char *data, size_t bytes, const char *name, char *out, size_t out_bytes)
{
	size_t length = strlen(name);

	if (bytes <= length || strncasecmp(data, name, length) != 0 || data[length] != ':')
		return false;
	const char *value = data + length + 1;
	const char *end = data + bytes;
	while (value < end && *value == ' ')
		value++;
	while (end > value && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' '))
		end--;
	size_t take = (size_t)(end - value) < out_bytes - 1 ? (size_t)(end - value) : out_bytes - 1;
	memcpy(out, value, take);
	out[take] = '\0';
	return true;
}

static void read_correlation_id(struct flight *flight, const char *text)
{
	char *out = flight->call->failure.correlation_id;
	size_t bytes = strspn(text, "0123456789abcdefABCDEF-");

	if (bytes < sizeof(flight->call->failure.correlation_id)) {
		memcpy(out, text, bytes);
		out[bytes] = '\0';
	}
}

/* A header that is no number is as good as none. */
static void read_count(const char *text, uint64_t *ret)
{
	struct error ignored;

	if (parse_u64(text, 0, UINT32_MAX, ret, &ignored) < 0)
		*ret = 0;
}

static size_t on_header(char *data, size_t size, size_t count, void *context)
{
	struct flight *flight = context;
	size_t bytes = size * count;
	char value[128];

	if (header_is(data, bytes, "X-Correlation-Id", value, sizeof(value)))
		read_correlation_id(flight, value);
	else if (header_is(data, bytes, "RateLimit-Limit", value, sizeof(value)))
		read_count(value, &flight->limit);
	else if (header_is(data, bytes, "RateLimit-Remaining", value, sizeof(value)))
		read_count(value, &flight->remaining);
	else if (header_is(data, bytes, "RateLimit-Reset", value, sizeof(value)))
		read_count(value, &flight->reset_s);
	else if (header_is(data, bytes, "Date", value, sizeof(value)))
		flight->date_s = (int64_t)curl_getdate(value, NULL);
	return bytes;
}

/* Sending */

static void flight_prepare(struct hetzner *hetzner, struct flight *flight)
{
	const struct hetzner_call *call = flight->call;
	CURL *handle = flight->handle;
	CLEANUP(cleanup_free) char *url = xasprintf("%s%s", hetzner->endpoint, call->path);

	curl_slist_free_all(flight->headers);
	flight->headers = curl_slist_append(NULL, hetzner->authorization);
	flight->headers = curl_slist_append(flight->headers, "Content-Type: application/json");
	flight->headers = curl_slist_append(flight->headers, "Expect:");
	CHECK(flight->headers != NULL);
	curl_easy_reset(handle);
	(void)curl_easy_setopt(handle, CURLOPT_URL, url);
	(void)curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, call->method);
	(void)curl_easy_setopt(handle, CURLOPT_HTTPHEADER, flight->headers);
	(void)curl_easy_setopt(handle, CURLOPT_USERAGENT, "rgrid/" RGRID_VERSION);
	(void)curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
	(void)curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, (long)hetzner->request_timeout_ms);
	(void)curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(handle, CURLOPT_WRITEDATA, flight);
	(void)curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_header);
	(void)curl_easy_setopt(handle, CURLOPT_HEADERDATA, flight);
	(void)curl_easy_setopt(handle, CURLOPT_PRIVATE, flight);
	/* On a kept connection that ends without a byte of answer libcurl sends the request again
	 * by itself, which must not happen to a creation. */
	if (str_eq(call->method, "POST"))
		(void)curl_easy_setopt(handle, CURLOPT_FRESH_CONNECT, 1L);
	/* A proxy would read the token. (To https it passes bytes on.) */
	if (hetzner->is_plain_http)
		(void)curl_easy_setopt(handle, CURLOPT_NOPROXY, "*");
	if (hetzner->ca_file != NULL)
		(void)curl_easy_setopt(handle, CURLOPT_CAINFO, hetzner->ca_file);
	if (call->body != NULL || str_eq(call->method, "POST")) {
		(void)curl_easy_setopt(handle, CURLOPT_POSTFIELDS,
				       call->body != NULL ? call->body : "");
	}
}

static void fail(struct flight *flight, enum hetzner_code code, const char *message)
{
	struct hetzner_call *call = flight->call;

	call->failure.code = code;
	(void)snprintf(call->failure.message, sizeof(call->failure.message), "%s", message);
	hetzner_failure_explain(&call->failure, call->method, call->path, &call->err);
	call->result = -1;
	flight->is_done = true;
}

static void flight_start(struct hetzner *hetzner, struct flight *flight, CURL *handle)
{
	struct hetzner_call *call = flight->call;
	bool is_delete = str_eq(call->method, "DELETE");
	int64_t now_ms = (int64_t)clock_boottime_ms();
	int64_t wait_ms = hetzner_allowance_wait_ms(&hetzner->allowance, is_delete, now_ms);

	if (wait_ms > 0) {
		/* Whoever keeps a reserve has deletions that are not to wait behind this. One more
		 * try was promised. */
		bool yields = !is_delete && hetzner->allowance.reserve > 0 && flight->tries == 0;

		if (!yields && wait_ms <= BUDGET_WAIT_MS_MAX)
			flight->start_ms = now_ms + wait_ms;
		else
			fail(flight, HETZNER_RATE_LIMIT_EXCEEDED,
			     hetzner->allowance.reserve > 0
				     ? "what is left of the request budget is kept for deletions"
				     : "the request budget is used up");
		return;
	}
	hetzner_allowance_spend(&hetzner->allowance);
	json_decref(call->reply);
	call->reply = NULL;
	call->failure = (struct hetzner_failure){0};
	flight->limit = flight->remaining = flight->reset_s = 0;
	flight->date_s = 0;
	buf_clear(&flight->bytes);
	flight->handle = handle;
	flight->tries++;
	flight_prepare(hetzner, flight);
	CHECK(curl_multi_add_handle(hetzner->multi, handle) == CURLM_OK);
}

/* Answers */

static void note_headers(struct hetzner *hetzner, const struct flight *flight)
{
	if (flight->date_s > 0)
		hetzner->clock_skew_ms = flight->date_s * 1000 - clock_wall_us() / 1000;
	if (flight->limit > 0)
		hetzner_allowance_told(&hetzner->allowance, flight->limit, flight->remaining,
				       (int64_t)flight->reset_s,
				       flight->date_s > 0 ? flight->date_s
							  : clock_wall_us() / 1000000,
				       (int64_t)clock_boottime_ms());
}

/* Whether the request may have reached the API: a connection that was never made has carried
 * nothing. */
static bool was_sent(CURLcode code)
{
	return code != CURLE_COULDNT_CONNECT && code != CURLE_COULDNT_RESOLVE_HOST &&
	       code != CURLE_SSL_CONNECT_ERROR && code != CURLE_PEER_FAILED_VERIFICATION &&
	       code != CURLE_URL_MALFORMAT;
}

/* Whoever answers may repeat what they were sent. */
static void scrub_token(const struct hetzner *hetzner, char *text)
{
	const char *token = hetzner->authorization + strlen(HETZNER_AUTHORIZATION);

	for (char *at = strstr(text, token); at != NULL; at = strstr(at, token))
		memset(at, '*', strlen(token));
}

static void judge_answer(const struct hetzner *hetzner, struct flight *flight, long status)
{
	struct hetzner_call *call = flight->call;
	struct error parse_error = {0};
	bool is_success = status >= 200 && status < 300;
	bool is_json =
		flight->bytes.bytes > 0 && json_parse(flight->bytes.data, flight->bytes.bytes,
						      &call->reply, &parse_error) == 0;

	call->result = 0;
	if (is_success && (is_json || flight->bytes.bytes == 0))
		return;
	call->result = -1;
	hetzner_failure_read(call->reply, status, &call->failure);
	scrub_token(hetzner, call->failure.message);
	if (is_success) {
		call->failure.code = HETZNER_UNREACHABLE;
		(void)snprintf(call->failure.message, sizeof(call->failure.message),
			       "the answer is no JSON: %s", parse_error.msg);
	}
}

/* A reply that broke off is as good as none. */
static void judge_transport(struct flight *flight, CURLcode code)
{
	struct hetzner_call *call = flight->call;

	call->result = -1;
	call->failure.code = HETZNER_UNREACHABLE;
	(void)snprintf(call->failure.message, sizeof(call->failure.message), "%s",
		       flight->bytes.overflowed ? "the answer is too large"
						: curl_easy_strerror(code));
}

static void flight_finish(struct hetzner *hetzner, struct flight *flight, CURLcode code)
{
	struct hetzner_call *call = flight->call;
	long status = 0;

	(void)curl_easy_getinfo(flight->handle, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_multi_remove_handle(hetzner->multi, flight->handle);
	note_headers(hetzner, flight);
	if (code == CURLE_OK)
		judge_answer(hetzner, flight, status);
	else
		judge_transport(flight, code);
	flight->handle = NULL;
	flight->is_done = true;
	if (call->result == 0)
		return;
	bool sent = code == CURLE_OK || was_sent(code);
	call->failure.outcome_unknown =
		hetzner_is_outcome_unknown(call->method, &call->failure, sent);
	hetzner_failure_explain(&call->failure, call->method, call->path, &call->err);
	int64_t wait_ms = hetzner_retry_ms(call->method, &call->failure, sent, flight->tries,
					   hetzner->backoff_ms, rand_u64());
	if (wait_ms < 0 || is_interrupted(hetzner))
		return;
	flight->start_ms = (int64_t)clock_boottime_ms() + wait_ms;
	flight->is_done = false;
}

/* All of them */

static CURL *handle_free(const struct hetzner *hetzner, const struct flight *flights, size_t count)
{
	for (size_t i = 0; i < HETZNER_IN_FLIGHT_MAX; i++) {
		bool used = false;
		for (size_t k = 0; k < count; k++)
			used = used || flights[k].handle == hetzner->handles[i];
		if (!used)
			return hetzner->handles[i];
	}
	return NULL;
}

static void refuse(struct flight *flight)
{
	struct hetzner_call *call = flight->call;

	call->failure = (struct hetzner_failure){.code = HETZNER_INVALID_INPUT};
	(void)snprintf(call->failure.message, sizeof(call->failure.message), "%s", call->err.msg);
	call->result = -1;
	flight->is_done = true;
}

/* What has gone out cannot be taken back, but nobody waits for its answer any more. */
static void cut_off(const struct hetzner *hetzner, struct flight *flight)
{
	struct hetzner_call *call = flight->call;

	if (flight->handle != NULL) {
		(void)curl_multi_remove_handle(hetzner->multi, flight->handle);
		flight->handle = NULL;
		call->failure.outcome_unknown = str_eq(call->method, "POST");
	}
	fail(flight, HETZNER_UNREACHABLE, "interrupted");
	call->err.code = ERR_TIMEOUT;
}

/* Starts what is due and finds a handle. Returns whether anything is left to wait for. */
static bool start_due(struct hetzner *hetzner, struct flight *flights, size_t count)
{
	bool is_open = false;

	for (size_t i = 0; i < count; i++) {
		struct flight *flight = &flights[i];
		if (flight->is_done)
			continue;
		if (flight->call->refused) {
			refuse(flight);
			continue;
		}
		if (is_interrupted(hetzner)) {
			cut_off(hetzner, flight);
			continue;
		}
		is_open = true;
		if (flight->handle != NULL || flight->start_ms > (int64_t)clock_boottime_ms())
			continue;
		CURL *handle = handle_free(hetzner, flights, count);
		if (handle != NULL)
			flight_start(hetzner, flight, handle);
	}
	return is_open;
}

static void collect(struct hetzner *hetzner)
{
	int left;

	for (CURLMsg *message = curl_multi_info_read(hetzner->multi, &left); message != NULL;
	     message = curl_multi_info_read(hetzner->multi, &left)) {
		struct flight *flight = NULL;
		CURLcode code = message->data.result;
		char *private = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
		flight = (struct flight *)(void *)private;
		CHECK(flight != NULL);
		flight_finish(hetzner, flight, code);
	}
}

void hetzner_perform(struct hetzner *hetzner, struct hetzner_call *calls, size_t count)
{
	CLEANUP(cleanup_free) struct flight *flights = xcalloc(count + 1, sizeof(*flights));

	for (size_t i = 0; i < count; i++) {
		flights[i].call = &calls[i];
		buf_init(&flights[i].bytes, HETZNER_REPLY_BYTES);
	}
	while (start_due(hetzner, flights, count)) {
		int running = 0;

		CHECK(curl_multi_perform(hetzner->multi, &running) == CURLM_OK);
		collect(hetzner);
		(void)curl_multi_poll(hetzner->multi, NULL, 0, running > 0 ? POLL_MS : 10, NULL);
	}
	for (size_t i = 0; i < count; i++) {
		curl_slist_free_all(flights[i].headers);
		buf_release(&flights[i].bytes);
	}
}

int hetzner_perform_one(struct hetzner *hetzner, struct hetzner_call *call, struct error *err)
{
	hetzner_perform(hetzner, call, 1);
	hetzner->failure = call->failure;
	if (call->result < 0) {
		*err = call->err;
		return -1;
	}
	hetzner->failure.code = HETZNER_OK;
	return 0;
}

int hetzner_perform_absent_is_fine(struct hetzner *hetzner, struct hetzner_call *call,
				   struct error *err)
{
	if (hetzner_perform_one(hetzner, call, err) == 0)
		return 0;
	if (hetzner->failure.code != HETZNER_NOT_FOUND)
		return -1;
	hetzner->failure.code = HETZNER_OK;
	error_clear(err);
	return 0;
}

int hetzner_perform_action(struct hetzner *hetzner, struct hetzner_call *call,
			   struct hetzner_actions *ret, struct error *err)
{
	if (hetzner_perform_one(hetzner, call, err) < 0)
		return -1;
	if (hetzner_parse_actions_begun(call->reply, ret, err) < 0)
		return hetzner_fail_unreadable(hetzner, err);
	return 0;
}

int hetzner_perform_create(struct hetzner *hetzner, struct hetzner_call *call, const char *name,
			   int64_t *ret_id, struct error *err)
{
	struct hetzner_reader reader = {.err = err};

	if (hetzner_perform_one(hetzner, call, err) < 0)
		return -1;
	hetzner_read_id(&reader, hetzner_read_object(&reader, call->reply, name), "id", ret_id);
	return reader.failed ? hetzner_fail_unreadable(hetzner, err) : 0;
}

int hetzner_fail_unreadable(struct hetzner *hetzner, struct error *err)
{
	hetzner->failure.code = HETZNER_UNREACHABLE;
	hetzner->failure.outcome_unknown = true;
	return error_hint(err, "%s", hetzner_failure_advice(&hetzner->failure));
}

int hetzner_fail(struct hetzner *hetzner, enum hetzner_code code)
{
	hetzner->failure.code = code;
	return -1;
}
