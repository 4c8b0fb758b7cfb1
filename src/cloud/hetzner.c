#include "cloud/hetzner.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/str.h"
#include "cloud/hetzner_call.h"
#include "cloud/hetzner_retry.h"

#define REQUEST_TIMEOUT_MS 30000
#define ACTION_TIMEOUT_MS  600000
#define TOKEN_BYTES_MAX	   512

static void curl_start(void)
{
	CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

/* It goes into a header line: nothing may end that early. */
static bool is_token(const char *token)
{
	size_t bytes = strlen(token);

	if (bytes == 0 || bytes > TOKEN_BYTES_MAX)
		return false;
	for (size_t i = 0; i < bytes; i++) {
		if (token[i] <= ' ' || token[i] > '~')
			return false;
	}
	return true;
}

/* An http:// endpoint shows the token to whoever carries it: only this computer may. */
static bool is_loopback(const char *endpoint)
{
	CURLU *url = curl_url();
	char *host = NULL;
	struct in_addr address;
	bool result = false;

	CHECK(url != NULL);
	if (curl_url_set(url, CURLUPART_URL, endpoint, 0) == CURLUE_OK &&
	    curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK)
		result = str_eq(host, "localhost") || str_eq(host, "[::1]") ||
			 (inet_pton(AF_INET, host, &address) == 1 &&
			  ntohl(address.s_addr) >> 24 == IN_LOOPBACKNET);
	curl_free(host);
	curl_url_cleanup(url);
	return result;
}

static int check_endpoint(const char *endpoint, bool allow_plain_http, struct error *err)
{
	if (str_has_prefix(endpoint, "https://"))
		return 0;
	if (!str_has_prefix(endpoint, "http://"))
		return error_set(err, ERR_INVALID, "the endpoint \"%s\" is no http(s) URL",
				 endpoint);
	if (allow_plain_http || is_loopback(endpoint))
		return 0;
	(void)error_set(err, ERR_INVALID, "the endpoint \"%s\" would carry the API token in clear",
			endpoint);
	return error_hint(err, "set HCLOUD_ENDPOINT to an https:// URL; in a network where nobody "
			       "listens, " HETZNER_PLAIN_HTTP_ENV "=yes allows it");
}

static char *endpoint_copy(const char *endpoint)
{
	char *copy = xstrdup(endpoint);

	for (size_t bytes = strlen(copy); bytes > 0 && copy[bytes - 1] == '/'; bytes--)
		copy[bytes - 1] = '\0';
	return copy;
}

int hetzner_new(const struct hetzner_options *options, struct hetzner **ret, struct error *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const char *endpoint = options->endpoint != NULL ? options->endpoint : HETZNER_ENDPOINT;

	if (!is_token(options->token)) {
		(void)error_set(err, ERR_UNAUTHENTICATED,
				"the Hetzner API token is no token: it is empty, or has "
				"characters that none has");
		return error_hint(err, "copy it again from the project's Security page");
	}
	CHECK(pthread_once(&once, curl_start) == 0);
	if (check_endpoint(endpoint, options->allow_plain_http, err) < 0)
		return -1;
	struct hetzner *hetzner = xcalloc(1, sizeof(*hetzner));
	hetzner->endpoint = endpoint_copy(endpoint);
	hetzner->authorization = xasprintf(HETZNER_AUTHORIZATION "%s", options->token);
	hetzner->is_plain_http = str_has_prefix(endpoint, "http://");
	hetzner->ca_file = options->ca_file != NULL ? xstrdup(options->ca_file) : NULL;
	hetzner->request_timeout_ms =
		options->request_timeout_ms > 0 ? options->request_timeout_ms : REQUEST_TIMEOUT_MS;
	hetzner->action_timeout_ms =
		options->action_timeout_ms > 0 ? options->action_timeout_ms : ACTION_TIMEOUT_MS;
	hetzner->backoff_ms = options->backoff_ms > 0 ? options->backoff_ms : HETZNER_BACKOFF_MS;
	hetzner->multi = curl_multi_init();
	CHECK(hetzner->multi != NULL);
	for (size_t i = 0; i < HETZNER_IN_FLIGHT_MAX; i++) {
		hetzner->handles[i] = curl_easy_init();
		CHECK(hetzner->handles[i] != NULL);
	}
	*ret = hetzner;
	return 0;
}

int hetzner_new_from_environment(struct hetzner **ret, struct error *err)
{
	const char *token = getenv("HETZNER_API_TOKEN");

	if (token == NULL || token[0] == '\0')
		token = getenv("HCLOUD_TOKEN");
	if (token == NULL || token[0] == '\0') {
		(void)error_set(err, ERR_UNAUTHENTICATED, "there is no Hetzner API token");
		return error_hint(err, "set HETZNER_API_TOKEN to a token of the project that may "
				       "read and write");
	}
	const char *endpoint = getenv("HCLOUD_ENDPOINT");
	const char *plain_http = getenv(HETZNER_PLAIN_HTTP_ENV);
	struct hetzner_options options = {
		.token = token,
		.allow_plain_http = plain_http != NULL && str_eq(plain_http, "yes"),
		.endpoint = endpoint != NULL && endpoint[0] != '\0' ? endpoint : NULL};

	return hetzner_new(&options, ret, err);
}

void hetzner_free(struct hetzner *hetzner)
{
	if (hetzner == NULL)
		return;
	for (size_t i = 0; i < HETZNER_IN_FLIGHT_MAX; i++)
		curl_easy_cleanup(hetzner->handles[i]);
	(void)curl_multi_cleanup(hetzner->multi);
	free(hetzner->endpoint);
	explicit_bzero(hetzner->authorization, strlen(hetzner->authorization));
	free(hetzner->authorization);
	free(hetzner->ca_file);
	free(hetzner);
}

void cleanup_hetzner(struct hetzner **hetzner)
{
	hetzner_free(*hetzner);
}

void hetzner_interrupt_on(struct hetzner *hetzner, bool (*is_interrupted)(void *context),
			  void *context)
{
	hetzner->is_interrupted = is_interrupted;
	hetzner->interrupt_context = context;
}

const struct hetzner_failure *hetzner_last_failure(const struct hetzner *hetzner)
{
	return &hetzner->failure;
}

void hetzner_budget(const struct hetzner *hetzner, struct hetzner_budget *ret)
{
	const struct hetzner_allowance *allowance = &hetzner->allowance;

	*ret = (struct hetzner_budget){
		.limit = allowance->limit,
		.remaining =
			allowance->limit == 0
				? 0
				: hetzner_allowance_left(allowance, (int64_t)clock_boottime_ms()),
		.reserve = allowance->reserve,
		.clock_skew_ms = hetzner->clock_skew_ms,
	};
}

void hetzner_budget_reserve(struct hetzner *hetzner, uint64_t reserve)
{
	hetzner->allowance.reserve = reserve;
}
