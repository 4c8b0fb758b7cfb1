#include "base/http_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdint.h>
#include <strings.h>
#include <unistd.h>

#include "base/check.h"
#include "base/str.h"

#define HTTP_CLIENT_MAGIC	   0x68747470U
#define BODY_BYTES_DEFAULT	   (1U << 20)
#define CONNECT_TIMEOUT_DEFAULT_MS 10000
#define URL_BYTES_MAX		   16384
#define INTERRUPT_CHECK_MS	   100

struct http_client {
	unsigned magic;
	CURL *easy;
	CURLM *multi;	     /* holds the live connection; runs the one handle */
	char *base_url;	     /* without a trailing slash */
	char *authorization; /* "Authorization: …", or NULL */
	char *user_agent;
	char *ca_file;
	uint64_t connect_timeout_ms;
	const volatile int *interrupted;
};

/* What one transfer's callbacks share. */
struct transfer {
	struct http_client *client;
	const struct http_request *request;
	struct http_response *response;
	off_t body_offset;
	int read_errnum;
	bool stopped; /* on_data asked to end */
};

static struct http_client *client_check(struct http_client *client)
{
	CHECK(client != NULL);
	CHECK(client->magic == HTTP_CLIENT_MAGIC);
	return client;
}

/* Printable ASCII: a line break would start another header. */
static bool is_header_value(const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text < ' ' || *text > '~')
			return false;
	}
	return true;
}

int http_client_new(const struct http_client_options *options, struct http_client **ret,
		    struct error *err)
{
	if (!str_has_prefix(options->base_url, "http://") &&
	    !str_has_prefix(options->base_url, "https://"))
		return error_set(err, ERR_INVALID,
				 "\"%s\" is not a URL that begins with http:// or https://",
				 options->base_url);
	if (options->authorization != NULL && !is_header_value(options->authorization))
		return error_set(err, ERR_INVALID,
				 "the credential contains characters that none can have");
	struct http_client *client = xcalloc(1, sizeof(*client));
	client->magic = HTTP_CLIENT_MAGIC;
	size_t url_bytes = strlen(options->base_url);
	while (url_bytes > 0 && options->base_url[url_bytes - 1] == '/')
		url_bytes--;
	client->base_url = xstrndup(options->base_url, url_bytes);
	if (options->authorization != NULL)
		client->authorization = xasprintf("Authorization: %s", options->authorization);
	client->user_agent = xstrdup(options->user_agent != NULL ? options->user_agent : "rgrid");
	if (options->ca_file != NULL)
		client->ca_file = xstrdup(options->ca_file);
	client->connect_timeout_ms = options->connect_timeout_ms != 0 ? options->connect_timeout_ms
								      : CONNECT_TIMEOUT_DEFAULT_MS;
	client->interrupted = options->interrupted;
	client->easy = curl_easy_init();
	client->multi = curl_multi_init();
	if (client->easy == NULL || client->multi == NULL) {
		http_client_free(client);
		return error_set(err, ERR_INTERNAL, "cannot start the HTTP library");
	}
	*ret = client;
	return 0;
}

void http_client_free(struct http_client *client)
{
	if (client == NULL)
		return;
	client_check(client)->magic = 0;
	curl_easy_cleanup(client->easy);
	curl_multi_cleanup(client->multi);
	free(client->base_url);
	free(client->authorization);
	free(client->user_agent);
	free(client->ca_file);
	free(client);
}

void cleanup_http_client(struct http_client **client)
{
	http_client_free(*client);
}

void http_response_release(struct http_response *response)
{
	buf_release(&response->body);
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
	struct transfer *transfer = context;
	size_t bytes = size * count;
	long status = 0;

	curl_easy_getinfo(transfer->client->easy, CURLINFO_RESPONSE_CODE, &status);
	if (transfer->request->on_data != NULL && status >= 200 && status < 300) {
		if (transfer->request->on_data(transfer->request->context, data, bytes))
			return bytes;
		transfer->stopped = true;
		return 0;
	}
	buf_append(&transfer->response->body, data, bytes);
	return transfer->response->body.overflowed ? 0 : bytes;
}

static void header_value(const char *line, size_t bytes, const char *name, char *out, size_t size)
{
	size_t name_bytes = strlen(name);
	if (bytes <= name_bytes || line[name_bytes] != ':' ||
	    strncasecmp(line, name, name_bytes) != 0)
		return;
	line += name_bytes + 1;
	bytes -= name_bytes + 1;
	while (bytes > 0 && (*line == ' ' || *line == '\t')) {
		line++;
		bytes--;
	}
	while (bytes > 0 &&
	       (line[bytes - 1] == '\r' || line[bytes - 1] == '\n' || line[bytes - 1] == ' '))
		bytes--;
	if (bytes >= size)
		bytes = size - 1;
	memcpy(out, line, bytes);
	out[bytes] = '\0';
}

static size_t on_header(char *line, size_t size, size_t count, void *context)
{
	struct transfer *transfer = context;
	struct http_response *response = transfer->response;
	size_t bytes = size * count;
	char retry_after[24] = "";

	/* "100 Continue" and the like have headers of their own, which are not the answer's. */
	if (bytes >= 5 && strncmp(line, "HTTP/", 5) == 0) {
		response->content_type[0] = response->etag[0] = response->request_id[0] = '\0';
		response->retry_after_s = 0;
	}
	header_value(line, bytes, "Content-Type", response->content_type,
		     sizeof(response->content_type));
	header_value(line, bytes, "ETag", response->etag, sizeof(response->etag));
	header_value(line, bytes, "X-Request-Id", response->request_id,
		     sizeof(response->request_id));
	header_value(line, bytes, "Retry-After", retry_after, sizeof(retry_after));
	if (retry_after[0] != '\0') {
		struct error ignored;
		if (parse_u64(retry_after, 0, 86400, &response->retry_after_s, &ignored) < 0)
			response->retry_after_s = 0; /* a date is allowed there too: own backoff */
	}
	return bytes;
}

static size_t on_upload(char *out, size_t size, size_t count, void *context)
{
	struct transfer *transfer = context;
	const struct http_request *request = transfer->request;
	size_t left = request->body_bytes - (size_t)transfer->body_offset;
	size_t bytes = size * count < left ? size * count : left;

	if (bytes == 0)
		return 0;
	if (request->body_fd < 0) {
		memcpy(out, (const char *)request->body + transfer->body_offset, bytes);
	} else {
		ssize_t got = pread(request->body_fd, out, bytes, transfer->body_offset);
		if (got <= 0) {
			transfer->read_errnum = got < 0 ? errno : EIO;
			return CURL_READFUNC_ABORT;
		}
		bytes = (size_t)got;
	}
	transfer->body_offset += (off_t)bytes;
	return bytes;
}

/* libcurl rewinds when it must send again on a fresh connection. */
static int on_seek(void *context, curl_off_t offset, int origin)
{
	struct transfer *transfer = context;
	if (origin != SEEK_SET)
		return CURL_SEEKFUNC_CANTSEEK;
	transfer->body_offset = (off_t)offset;
	return CURL_SEEKFUNC_OK;
}

static bool is_interrupted(const struct http_client *client)
{
	return client->interrupted != NULL && *client->interrupted != 0;
}

/* Runs the transfer to its end. libcurl alone would look at the interruption once a second. */
static CURLcode run_transfer(struct http_client *client)
{
	CURLcode code = CURLE_ABORTED_BY_CALLBACK;
	CURLMcode failed = curl_multi_add_handle(client->multi, client->easy);
	int running = 1;
	int queued;

	while (failed == CURLM_OK && !is_interrupted(client)) {
		failed = curl_multi_perform(client->multi, &running);
		if (running == 0)
			break;
		if (failed == CURLM_OK)
			failed = curl_multi_poll(client->multi, NULL, 0, INTERRUPT_CHECK_MS, NULL);
	}
	for (const CURLMsg *message; (message = curl_multi_info_read(client->multi, &queued));) {
		if (message->msg == CURLMSG_DONE)
			code = message->data.result;
	}
	(void)curl_multi_remove_handle(client->multi, client->easy);
	return failed == CURLM_OK ? code : CURLE_FAILED_INIT;
}

static void set_request(struct http_client *client, struct transfer *transfer, const char *url,
			struct curl_slist *headers, char *curl_error)
{
	const struct http_request *request = transfer->request;
	CURL *easy = client->easy;

	curl_easy_reset(easy); /* keeps live connections */
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, curl_error);
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_USERAGENT, client->user_agent);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)client->connect_timeout_ms);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, request->idle_timeout_ms != 0 ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME,
			 (long)((request->idle_timeout_ms + 999) / 1000));
	if (client->ca_file != NULL)
		curl_easy_setopt(easy, CURLOPT_CAINFO, client->ca_file);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);

	bool has_body = request->body != NULL || request->body_fd >= 0;
	if (has_body) {
		curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->body_bytes);
		curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_upload);
		curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
		curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
		curl_easy_setopt(easy, CURLOPT_SEEKDATA, transfer);
	} else if (str_eq(request->method, "POST") || str_eq(request->method, "PUT")) {
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "");
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, 0L);
	} else if (str_eq(request->method, "HEAD")) {
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	}
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

static struct curl_slist *build_headers(const struct http_client *client,
					const struct http_request *request)
{
	struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
	if (client->authorization != NULL)
		headers = curl_slist_append(headers, client->authorization);
	for (size_t i = 0; request->headers != NULL && request->headers[i] != NULL; i++)
		headers = curl_slist_append(headers, request->headers[i]);
	CHECK(headers != NULL);
	return headers;
}

static int explain(const struct transfer *transfer, CURLcode code, const char *curl_error,
		   struct error *err)
{
	const struct http_client *client = transfer->client;
	const char *text = curl_error[0] != '\0' ? curl_error : curl_easy_strerror(code);

	if (transfer->read_errnum != 0)
		return error_set_errno(err, ERR_INVALID, transfer->read_errnum,
				       "cannot read the file being uploaded");
	if (code == CURLE_ABORTED_BY_CALLBACK)
		return error_set(err, ERR_TIMEOUT, "interrupted");
	if (code == CURLE_OPERATION_TIMEDOUT)
		return error_set(err, ERR_TIMEOUT, "%s did not answer in time: %s",
				 client->base_url, text);
	if (code == CURLE_WRITE_ERROR && transfer->response->body.overflowed)
		return error_set(err, ERR_TOO_LARGE, "the answer of %s is larger than %zu bytes",
				 client->base_url, transfer->response->body.bytes_max);
	if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE) {
		error_set(err, ERR_UNAVAILABLE, "%s is not who it should be: %s", client->base_url,
			  text);
		return error_hint(
			err, "check the address, and that its certificate authority is known here");
	}
	return error_set(err, ERR_UNAVAILABLE, "cannot reach the server at %s: %s",
			 client->base_url, text);
}

int http_client_perform(struct http_client *client, const struct http_request *request,
			struct http_response *ret, struct error *err)
{
	client_check(client);
	CHECK(request->path[0] == '/');
	memset(ret, 0, sizeof(*ret));
	buf_init(&ret->body,
		 request->body_bytes_max != 0 ? request->body_bytes_max : BODY_BYTES_DEFAULT);

	CLEANUP(cleanup_free) char *url = xasprintf("%s%s", client->base_url, request->path);
	if (strlen(url) > URL_BYTES_MAX)
		return error_set(err, ERR_TOO_LARGE, "the URL is longer than %d bytes",
				 URL_BYTES_MAX);
	struct transfer transfer = {.client = client, .request = request, .response = ret};
	char curl_error[CURL_ERROR_SIZE] = "";
	struct curl_slist *headers = build_headers(client, request);

	set_request(client, &transfer, url, headers, curl_error);
	CURLcode code = run_transfer(client);
	curl_easy_getinfo(client->easy, CURLINFO_RESPONSE_CODE, &ret->status);
	curl_slist_free_all(headers);
	if (code == CURLE_OK || (transfer.stopped && ret->status != 0))
		return 0;
	return explain(&transfer, code, curl_error, err);
}
