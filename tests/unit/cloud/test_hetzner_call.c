/* The client against answers written down: what it sends, repeats and never repeats, and what it
 * makes of answers that are wrong, late, cut off or absent. */
#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/str.h"
#include "fake_answers.h"
#include "fake_api.h"
#include "tap.h"

#define ACTION(id, status)                                                                       \
	"{\"id\":" id ",\"command\":\"create_server\",\"status\":\"" status "\",\"progress\":0," \
	"\"error\":null}"
#define SERVER(id)                                                                           \
	"{\"id\":" id ",\"name\":\"w\",\"status\":\"running\",\"created\":"                  \
	"\"2026-01-30T23:55:00+00:00\",\"server_type\":{\"name\":\"cx23\"},\"location\":"    \
	"{\"name\":\"nbg1\",\"network_zone\":\"eu-central\"},\"public_net\":{\"ipv4\":null," \
	"\"ipv6\":null},\"private_net\":[],\"labels\":{},\"later_member\":[{}]}"
#define CREATED                                                  \
	"{\"server\":" SERVER("42") ",\"action\":" ACTION(       \
		"7", "running") ","                              \
				"\"next_actions\":[" ACTION("8", \
							    "running") "],\"root_password\":null}"

static const struct hetzner_server_request request = {
	.name = "w", .server_type = "cx23", .image = "debian-12", .location = "nbg1"};

/* Creates a server; what came of it. */
static struct hetzner_outcome *create(struct hetzner *hetzner)
{
	static struct hetzner_outcome outcome;

	hetzner_servers_create(hetzner, &request, 1, &outcome);
	return &outcome;
}

TEST(request_carries_token_and_body)
{
	static const struct fake_step steps[] = {{FAKE_ANSWERS, 201, NULL, CREATED}};
	struct fake_api api;
	struct hetzner *hetzner = FAKE_START(&api, steps);
	struct hetzner_outcome *outcome = create(hetzner);

	EXPECT_INT(outcome->result, 0);
	EXPECT_INT(outcome->server.id, 42);
	EXPECT_INT(outcome->actions.count, 2);
	EXPECT_INT(outcome->actions.ids[1], 8);
	EXPECT(fake_api_was_asked(&api, 0, "POST /v1/servers HTTP/1.1\r\n"));
	EXPECT(strstr(api.requests[0], "\r\nAuthorization: Bearer " FAKE_TOKEN "\r\n") != NULL);
	EXPECT(strstr(api.requests[0], "\"enable_ipv4\":false") != NULL);
	fake_api_stop(&api, hetzner);
}

TEST(a_cut_off_answer_is_asked_for_again)
{
	static const struct fake_step steps[] = {
		{FAKE_BREAKS_OFF, 200, NULL, NAMED_PAGE("1", "null", "1", KEY("1"))},
		{FAKE_RESETS, 0, NULL, NULL},
		{FAKE_ANSWERS, 502, NULL, "<html>Bad gateway</html>"},
		{FAKE_ANSWERS, 200, NULL, NAMED_PAGE("1", "null", "1", KEY("1"))}};
	CLEANUP(cleanup_hetzner_named_list) struct hetzner_named_list list = {0};
	struct fake_api api;
	struct hetzner *hetzner = FAKE_START(&api, steps);
	struct error err;

	EXPECT_OK(hetzner_ssh_keys_list(hetzner, NULL, &list, &err), err);
	EXPECT_INT(list.count, 1);
	EXPECT_INT(api.request_count, 4);
	fake_api_stop(&api, hetzner);
}

/* A creation that may have happened is asked for once, and says so. */
static void expect_unknown(const struct fake_step *steps, size_t count)
{
	struct fake_api api;
	struct hetzner *hetzner = fake_api_start(
		&api, steps, count, steps[0].end == FAKE_HANGS ? 1000 : FAKE_TIMEOUT_MS);
	struct hetzner_outcome *outcome = create(hetzner);

	EXPECT_INT(outcome->result, -1);
	EXPECT(outcome->failure.outcome_unknown);
	EXPECT(strstr(outcome->err.hint, "may have been done") != NULL);
	EXPECT_INT(api.request_count, 1);
	fake_api_stop(&api, hetzner);
}
#define EXPECT_UNKNOWN(...)                                             \
	do {                                                            \
		static const struct fake_step steps_[] = {__VA_ARGS__}; \
		expect_unknown(steps_, ARRAY_SIZE(steps_));             \
	} while (0)

TEST(a_creation_is_never_repeated_after_500)
{
	EXPECT_UNKNOWN({FAKE_ANSWERS, 500, NULL, ERROR_BODY("server_error", "oops")},
		       {FAKE_ANSWERS, 201, NULL, CREATED});
}

TEST(a_creation_is_never_repeated_after_502_and_504)
{
	EXPECT_UNKNOWN({FAKE_ANSWERS, 502, NULL, "<html>"}, {FAKE_ANSWERS, 201, NULL, CREATED});
	EXPECT_UNKNOWN({FAKE_ANSWERS, 504, NULL, ERROR_BODY("timeout", "please retry")},
		       {FAKE_ANSWERS, 201, NULL, CREATED});
}

TEST(a_creation_is_never_repeated_after_503)
{
	EXPECT_UNKNOWN({FAKE_ANSWERS, 503, NULL, "upstream connect error or disconnect"},
		       {FAKE_ANSWERS, 201, NULL, CREATED});
}

TEST(a_creation_is_never_repeated_after_silence)
{
	EXPECT_UNKNOWN({FAKE_RESETS, 0, NULL, NULL}, {FAKE_ANSWERS, 201, NULL, CREATED});
	EXPECT_UNKNOWN({FAKE_CLOSES, 0, NULL, NULL}, {FAKE_ANSWERS, 201, NULL, CREATED});
	EXPECT_UNKNOWN({FAKE_HANGS, 0, NULL, NULL}, {FAKE_ANSWERS, 201, NULL, CREATED});
	EXPECT_UNKNOWN({FAKE_BREAKS_OFF, 201, NULL, CREATED}, {FAKE_ANSWERS, 201, NULL, CREATED});
}

TEST(an_unreadable_success_is_unknown)
{
	EXPECT_UNKNOWN({FAKE_ANSWERS, 201, NULL, "{"}, {FAKE_ANSWERS, 201, NULL, CREATED});
	EXPECT_UNKNOWN({FAKE_ANSWERS, 201, NULL, "{\"server\":{}}"},
		       {FAKE_ANSWERS, 201, NULL, CREATED});
	/* Without its action nobody could wait for the server. */
	EXPECT_UNKNOWN({FAKE_ANSWERS, 201, NULL, "{\"server\":" SERVER("42") "}"},
		       {FAKE_ANSWERS, 201, NULL, CREATED});
}

/* libcurl sends a request again by itself when a kept connection ends without a byte of answer. */
TEST(a_creation_on_a_kept_connection_is_sent_once)
{
	static const struct fake_step steps[] = {
		{FAKE_ANSWERS, 200, NULL, NAMED_PAGE("1", "null", "1", KEY("1"))},
		{FAKE_CLOSES, 0, NULL, NULL},
		{FAKE_ANSWERS, 201, NULL, CREATED}};
	CLEANUP(cleanup_hetzner_named_list) struct hetzner_named_list list = {0};
	struct fake_api api;
	struct hetzner *hetzner = FAKE_START(&api, steps);
	struct error err;

	EXPECT_OK(hetzner_ssh_keys_list(hetzner, NULL, &list, &err), err);
	struct hetzner_outcome *outcome = create(hetzner);
	EXPECT_INT(api.request_count, 2);
	EXPECT_INT(outcome->result, -1);
	EXPECT(outcome->failure.outcome_unknown);
	fake_api_stop(&api, hetzner);
}

/* What else is created and not understood: it may be there. */
TEST(other_unreadable_successes_are_unknown)
{
	static const struct fake_step steps[] = {{FAKE_ANSWERS, 201, NULL, "{\"network\":[]}"},
						 {FAKE_ANSWERS, 201, NULL, "{\"ssh_key\":{}}"},
						 {FAKE_ANSWERS, 201, NULL, "{\"action\":{}}"},
						 {FAKE_ANSWERS, 201, NULL, NULL}};
	struct hetzner_actions actions;
	struct fake_api api;
	struct hetzner *hetzner = FAKE_START(&api, steps);
	struct error err;
	int64_t id = 0;

	EXPECT_ERR(hetzner_network_create(hetzner, "n", "10.0.0.0/16", NULL, &id, &err), err,
		   ERR_UNAVAILABLE);
	EXPECT(hetzner_last_failure(hetzner)->outcome_unknown);
	EXPECT_ERR(hetzner_ssh_key_create(hetzner, "n", "ssh-ed25519 A", NULL, &id, &err), err,
		   ERR_UNAVAILABLE);
	EXPECT(hetzner_last_failure(hetzner)->outcome_unknown);
	EXPECT_ERR(
		hetzner_network_add_subnet(hetzner, 1, "10.0.1.0/24", "eu-central", &actions, &err),
		err, ERR_UNAVAILABLE);
	EXPECT(hetzner_last_failure(hetzner)->outcome_unknown);
	EXPECT_ERR(hetzner_server_attach_to_network(hetzner, 1, 2, NULL, &actions, &err), err,
		   ERR_UNAVAILABLE);
	EXPECT(hetzner_last_failure(hetzner)->outcome_unknown);
	EXPECT_INT(api.request_count, 4);
	fake_api_stop(&api, hetzner);
}

TEST(locked_and_conflict_are_waited_out)
{
	static const struct fake_step steps[] = {
		{FAKE_ANSWERS, 423, NULL, ERROR_BODY("locked", "resource is locked")},
		{FAKE_ANSWERS, 409, NULL, ERROR_BODY("conflict", "please retry")},
		{FAKE_ANSWERS, 201, NULL, CREATED}};
	struct fake_api api;
	struct hetzner *hetzner = FAKE_START(&api, steps);

	EXPECT_INT(create(hetzner)->result, 0);
	EXPECT_INT(api.request_count, 3);
	fake_api_stop(&api, hetzner);
}

/* Remaining 0, full in an hour: the next request is a second away, not an hour, and not never. */
TEST(an_exceeded_rate_is_waited_out)
{
	static const struct fake_step steps[] = {
		{FAKE_ANSWERS, 429,
		 "Date: Fri, 30 Jan 2026 10:00:00 GMT\r\nRateLimit-Limit: 3600\r\n"
		 "RateLimit-Remaining: 0\r\nRateLimit-Reset: 1769770800\r\n",
		 ERROR_BODY("rate_limit_exceeded", "limit of 3600 requests per hour reached")},
		{FAKE_ANSWERS, 201, NULL, CREATED}};
	struct hetzner_budget budget;
	struct fake_api api;
	struct hetzner *hetzner = FAKE_START(&api, steps);

	EXPECT_INT(create(hetzner)->result, 0);
	EXPECT_INT(api.request_count, 2);
	hetzner_budget(hetzner, &budget);
	EXPECT_INT(budget.limit, 3600);
	fake_api_stop(&api, hetzner);
}

/* Nothing is kept back for anybody: the next request is a second away, and is worth that. */
TEST(a_used_up_budget_is_waited_for)
{
	static const struct fake_step steps[] = {
		{FAKE_ANSWERS, 200,
		 "Date: Fri, 30 Jan 2026 10:00:00 GMT\r\nRateLimit-Limit: 3600\r\n"
		 "RateLimit-Remaining: 0\r\nRateLimit-Reset: 1769770800\r\n",
		 NAMED_PAGE("1", "null", "0", "")},
		{FAKE_ANSWERS, 201, NULL, CREATED}};
	CLEANUP(cleanup_hetzner_named_list) struct hetzner_named_list list = {0};
	struct fake_api api;
	struct hetzner *hetzner = FAKE_START(&api, steps);
	struct error err;

	EXPECT_OK(hetzner_ssh_keys_list(hetzner, NULL, &list, &err), err);
	EXPECT_INT(create(hetzner)->result, 0);
	EXPECT_INT(api.request_count, 2);
	fake_api_stop(&api, hetzner);
}

/* With 36 an hour it is 100 seconds away. */
TEST(a_budget_used_up_for_long_is_said)
{
	static const struct fake_step steps[] = {
		{FAKE_ANSWERS, 200,
		 "Date: Fri, 30 Jan 2026 10:00:00 GMT\r\nRateLimit-Limit: 36\r\n"
		 "RateLimit-Remaining: 0\r\nRateLimit-Reset: 1769770800\r\n",
		 NAMED_PAGE("1", "null", "0", "")}};
	CLEANUP(cleanup_hetzner_named_list) struct hetzner_named_list list = {0};
	struct fake_api api;
	struct hetzner *hetzner = FAKE_START(&api, steps);
	struct error err;

	EXPECT_OK(hetzner_ssh_keys_list(hetzner, NULL, &list, &err), err);
	struct hetzner_outcome *outcome = create(hetzner);
	EXPECT_INT(outcome->err.code, ERR_RATE_LIMITED);
	EXPECT(strstr(outcome->err.msg, "the request budget is used up") != NULL);
	EXPECT_INT(api.request_count, 1);
	fake_api_stop(&api, hetzner);
}

TEST(the_reserve_is_kept_for_deletions)
{
	static const struct fake_step steps[] = {
		{FAKE_ANSWERS, 200,
		 "Date: Fri, 30 Jan 2026 10:00:00 GMT\r\nRateLimit-Limit: 3600\r\n"
		 "RateLimit-Remaining: 5\r\nRateLimit-Reset: 1769770800\r\n",
		 NAMED_PAGE("1", "null", "0", "")},
		{FAKE_ANSWERS, 204, NULL, NULL}};
	CLEANUP(cleanup_hetzner_named_list) struct hetzner_named_list list = {0};
	struct fake_api api;
	struct hetzner *hetzner = FAKE_START(&api, steps);
	struct error err;

	hetzner_budget_reserve(hetzner, 100);
	EXPECT_OK(hetzner_ssh_keys_list(hetzner, NULL, &list, &err), err);
	struct hetzner_outcome *outcome = create(hetzner);
	EXPECT_INT(outcome->result, -1);
	EXPECT_INT(outcome->err.code, ERR_RATE_LIMITED);
	EXPECT(!outcome->failure.outcome_unknown);
	EXPECT_INT(api.request_count, 1);
	EXPECT_OK(hetzner_ssh_key_delete(hetzner, 1, &err), err);
	EXPECT_INT(api.request_count, 2);
	fake_api_stop(&api, hetzner);
}

TEST(retries_end)
{
	static const struct fake_step steps[] = {
		{FAKE_ANSWERS, 423, NULL, ERROR_BODY("locked", "resource is locked")}};
	struct fake_api api;
	struct hetzner *hetzner = FAKE_START(&api, steps);
	struct error err;

	EXPECT_ERR(hetzner_network_delete(hetzner, 1, &err), err, ERR_CONFLICT);
	EXPECT_INT(api.request_count, 5);
	EXPECT(!hetzner_last_failure(hetzner)->outcome_unknown);
	fake_api_stop(&api, hetzner);
}

TEST(what_is_gone_is_deleted)
{
	static const struct fake_step steps[] = {
		{FAKE_ANSWERS, 404, NULL, ERROR_BODY("not_found", "server not found")}};
	struct hetzner_actions actions;
	struct fake_api api;
	struct hetzner *hetzner = FAKE_START(&api, steps);
	struct error err;

	EXPECT_OK(hetzner_network_delete(hetzner, 1, &err), err);
	EXPECT_OK(hetzner_server_delete(hetzner, 1, &actions, &err), err);
	EXPECT_INT(actions.count, 0);
	fake_api_stop(&api, hetzner);
}

/* Somebody else's 404 says nothing of the server: it runs on, and is paid for. */
TEST(a_wrong_endpoint_deletes_nothing)
{
	static const struct fake_step steps[] = {
		{FAKE_ANSWERS, 404, NULL, "<html>Not found</html>"},
		{FAKE_ANSWERS, 404, NULL, ERROR_BODY("not_found", "api route not found")}};
	struct hetzner_actions actions;
	struct fake_api api;
	struct hetzner *hetzner = FAKE_START(&api, steps);
	struct error err;

	EXPECT(hetzner_network_delete(hetzner, 1, &err) != 0);
	EXPECT(strstr(err.hint, "HCLOUD_ENDPOINT") != NULL);
	EXPECT(hetzner_server_delete(hetzner, 1, &actions, &err) != 0);
	EXPECT(strstr(err.hint, "HCLOUD_ENDPOINT") != NULL);
	fake_api_stop(&api, hetzner);
}

TEST(the_token_is_in_no_message)
{
	static const struct fake_step steps[] = {
		{FAKE_ANSWERS, 401, NULL,
		 ERROR_BODY("unauthorized", "Bearer " FAKE_TOKEN " is no token, " FAKE_TOKEN)}};
	struct fake_api api;
	struct hetzner *hetzner = FAKE_START(&api, steps);
	struct error err;

	EXPECT_ERR(hetzner_network_delete(hetzner, 1, &err), err, ERR_UNAUTHENTICATED);
	EXPECT(strstr(err.msg, FAKE_TOKEN) == NULL);
	EXPECT(strstr(hetzner_last_failure(hetzner)->message, FAKE_TOKEN) == NULL);
	EXPECT(strstr(err.msg, "is no token") != NULL);
	EXPECT_INT(api.request_count, 1);
	fake_api_stop(&api, hetzner);
}

/* What the API would not take is told before anything is sent. */
TEST(what_is_not_utf8_or_too_long_is_refused)
{
	static const struct fake_step steps[] = {{FAKE_ANSWERS, 201, NULL, CREATED}};
	CLEANUP(cleanup_free) char *data = xcalloc(1, HETZNER_USER_DATA_MAX + 2);
	CLEANUP(cleanup_hetzner_named_list) struct hetzner_named_list list = {0};
	struct hetzner_server_request broken[] = {request, request, request, request};
	static struct hetzner_outcome outcomes[4];
	struct hetzner_labels labels = {.omitted = 1};
	struct fake_api api;
	struct hetzner *hetzner = FAKE_START(&api, steps);
	struct hetzner_actions actions;
	struct error err;
	int64_t id;

	broken[0].name = "w\xff";
	broken[1].user_data = "\xc3(";
	memset(data, 'x', HETZNER_USER_DATA_MAX + 1);
	broken[2].user_data = data;
	hetzner_servers_create(hetzner, broken, 4, outcomes);
	for (size_t i = 0; i < 3; i++) {
		EXPECT_INT(outcomes[i].result, -1);
		EXPECT_INT(outcomes[i].err.code, ERR_INVALID);
		EXPECT(!outcomes[i].failure.outcome_unknown);
	}
	EXPECT_STR(outcomes[0].err.msg,
		   "cannot ask Hetzner Cloud, POST /servers: \"name\" is not UTF-8");
	EXPECT_STR(outcomes[0].err.field, "name");
	EXPECT(strstr(outcomes[1].err.msg, "\"user_data\" is not UTF-8") != NULL);
	EXPECT(strstr(outcomes[2].err.msg, "\"user_data\" is longer than 32768 bytes") != NULL);
	EXPECT_INT(outcomes[3].result, 0); /* the others go on */
	EXPECT_ERR(hetzner_network_create(hetzner, "\xff", "10.0.0.0/16", NULL, &id, &err), err,
		   ERR_INVALID);
	EXPECT_ERR(hetzner_ssh_key_create(hetzner, "k", "\xff", NULL, &id, &err), err, ERR_INVALID);
	EXPECT_ERR(hetzner_server_attach_to_network(hetzner, 1, 2, "\xff", &actions, &err), err,
		   ERR_INVALID);
	EXPECT_ERR(hetzner_server_create_image(hetzner, 1, "\xff", NULL, &id, &actions, &err), err,
		   ERR_INVALID);
	EXPECT_ERR(hetzner_ssh_keys_list(hetzner, "\xff", &list, &err), err, ERR_INVALID);
	EXPECT_ERR(hetzner_ssh_keys_list(hetzner, data, &list, &err), err, ERR_INVALID);
	EXPECT(strstr(err.msg, "\"name\" is too long") != NULL);
	/* A label that was not read would be lost, as labels are replaced together. */
	EXPECT_ERR(hetzner_network_set_labels(hetzner, 1, &labels, &err), err, ERR_INVALID);
	EXPECT(strstr(err.msg, "\"labels\"") != NULL);
	EXPECT_INT(api.request_count, 1);
	fake_api_stop(&api, hetzner);
}

static enum error_code new_code(const char *endpoint, bool allow_plain_http)
{
	CLEANUP(cleanup_hetzner) struct hetzner *hetzner = NULL;
	struct hetzner_options options = {
		.token = FAKE_TOKEN, .endpoint = endpoint, .allow_plain_http = allow_plain_http};
	struct error err = {0};

	if (hetzner_new(&options, &hetzner, &err) == 0)
		return ERR_NONE;
	EXPECT(strstr(err.msg, endpoint) != NULL);
	EXPECT(strstr(err.msg, FAKE_TOKEN) == NULL);
	return err.code;
}

TEST(the_token_is_not_sent_in_clear)
{
	static const char *const here[] = {"https://api.example", "http://127.0.0.1:1/v1",
					   "http://127.9.9.9", "http://[::1]:80/v1",
					   "http://localhost:8420/v1"};
	static const char *const away[] = {"http://10.0.1.2/v1",
					   "http://api.example",
					   "http://127.0.0.1.example/v1",
					   "http://127.0.0.1@api.example/v1",
					   "http://localhost.example",
					   "http://[2001:db8::1]/v1",
					   "http://",
					   "HTTP://api.example"};

	for (size_t i = 0; i < ARRAY_SIZE(here); i++)
		EXPECT_INT(new_code(here[i], false), ERR_NONE);
	for (size_t i = 0; i < ARRAY_SIZE(away); i++)
		EXPECT_INT(new_code(away[i], false), ERR_INVALID);
	EXPECT_INT(new_code("http://10.0.1.2/v1", true), ERR_NONE);
}

TEST(the_environment_may_allow_it)
{
	CLEANUP(cleanup_hetzner) struct hetzner *hetzner = NULL;
	struct error err;

	EXPECT(setenv("HETZNER_API_TOKEN", FAKE_TOKEN, 1) == 0);
	EXPECT(setenv("HCLOUD_ENDPOINT", "http://10.0.1.2/v1", 1) == 0);
	EXPECT_ERR(hetzner_new_from_environment(&hetzner, &err), err, ERR_INVALID);
	EXPECT(strstr(err.hint, HETZNER_PLAIN_HTTP_ENV) != NULL);
	EXPECT(setenv(HETZNER_PLAIN_HTTP_ENV, "yes", 1) == 0);
	EXPECT_OK(hetzner_new_from_environment(&hetzner, &err), err);
}

static bool was_asked(void *context)
{
	struct fake_api *api = context;

	(void)pthread_mutex_lock(&api->lock);
	bool asked = api->request_count > 0;
	(void)pthread_mutex_unlock(&api->lock);
	return asked;
}

/* The answer would come after twenty seconds; nobody who has been told to stop waits for it. */
static void expect_interrupted(bool creates)
{
	static const struct fake_step steps[] = {{FAKE_HANGS, 0, NULL, NULL}};
	struct hetzner_named_list list = {0};
	struct fake_api api;
	struct hetzner *hetzner = FAKE_START(&api, steps);
	uint64_t begun_ms = clock_boottime_ms();
	struct error err;

	hetzner_interrupt_on(hetzner, was_asked, &api);
	if (creates) {
		err = create(hetzner)->err;
		EXPECT(strstr(err.hint, "look before asking again") != NULL);
	} else {
		EXPECT(hetzner_ssh_keys_list(hetzner, NULL, &list, &err) < 0);
	}
	EXPECT_INT(err.code, ERR_TIMEOUT);
	EXPECT(strstr(err.msg, "interrupted") != NULL);
	EXPECT_INT(hetzner_last_failure(hetzner)->outcome_unknown, creates);
	EXPECT(clock_boottime_ms() - begun_ms < FAKE_TIMEOUT_MS / 2);
	fake_api_stop(&api, hetzner);
}

TEST(an_interruption_ends_a_look_on_its_way)
{
	expect_interrupted(false);
}

TEST(an_interrupted_creation_is_unknown)
{
	expect_interrupted(true);
}

TEST(a_redirect_is_not_followed)
{
	static const struct fake_step steps[] = {
		{FAKE_ANSWERS, 302, "Location: /v1/elsewhere\r\n", NULL}};
	struct fake_api api;
	struct hetzner *hetzner = FAKE_START(&api, steps);
	struct error err;

	EXPECT(hetzner_network_delete(hetzner, 1, &err) != 0);
	EXPECT_INT(api.request_count, 1);
	fake_api_stop(&api, hetzner);
}

TEST(a_huge_answer_is_refused)
{
	CLEANUP(cleanup_free) char *body = xcalloc(1, (17 << 20) + 1);
	struct hetzner_named_list list = {0};
	struct fake_api api;
	struct error err;

	memset(body, ' ', 17 << 20);
	const struct fake_step steps[] = {{FAKE_ANSWERS, 200, NULL, body}};
	struct hetzner *hetzner = FAKE_START(&api, steps);
	EXPECT_ERR(hetzner_ssh_keys_list(hetzner, NULL, &list, &err), err, ERR_UNAVAILABLE);
	EXPECT(strstr(err.msg, "too large") != NULL);
	fake_api_stop(&api, hetzner);
}

TEST(nobody_listens)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	CLEANUP(cleanup_fd) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CLEANUP(cleanup_hetzner) struct hetzner *hetzner = NULL;
	socklen_t bytes = sizeof(address);
	struct error err;
	char url[64];

	EXPECT(bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0);
	EXPECT(getsockname(fd, (struct sockaddr *)&address, &bytes) == 0);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/v1", ntohs(address.sin_port));
	struct hetzner_options options = {
		.token = FAKE_TOKEN, .endpoint = url, .backoff_ms = FAKE_BACKOFF_MS};
	EXPECT_OK(hetzner_new(&options, &hetzner, &err), err);
	struct hetzner_outcome *outcome = create(hetzner);
	EXPECT_INT(outcome->result, -1);
	EXPECT_INT(outcome->err.code, ERR_UNAVAILABLE);
	EXPECT_INT(outcome->failure.code, HETZNER_UNREACHABLE);
	EXPECT(!outcome->failure.outcome_unknown); /* nothing was sent */
}

TEST(twenty_creations_eight_at_a_time)
{
	static const struct fake_step steps[] = {{FAKE_ANSWERS, 201, NULL, CREATED}};
	static struct hetzner_server_request requests[20];
	static struct hetzner_outcome outcomes[20];
	struct fake_api api;
	struct hetzner *hetzner = FAKE_START(&api, steps);

	for (size_t i = 0; i < 20; i++)
		requests[i] = request;
	hetzner_servers_create(hetzner, requests, 20, outcomes);
	for (size_t i = 0; i < 20; i++)
		EXPECT_INT(outcomes[i].result, 0);
	EXPECT_INT(api.request_count, 20);
	EXPECT(api.at_work_most > 1);
	EXPECT(api.at_work_most <= HETZNER_IN_FLIGHT_MAX);
	fake_api_stop(&api, hetzner);
}

TEST(one_of_several_fails_alone)
{
	static const struct fake_step steps[] = {
		{FAKE_ANSWERS, 412, NULL, ERROR_BODY("resource_unavailable", "sold out")},
		{FAKE_ANSWERS, 201, NULL, CREATED}};
	static struct hetzner_outcome outcomes[3];
	const struct hetzner_server_request requests[] = {request, request, request};
	struct fake_api api;
	struct hetzner *hetzner = FAKE_START(&api, steps);
	size_t failed = 0;

	hetzner_servers_create(hetzner, requests, 3, outcomes);
	for (size_t i = 0; i < 3; i++) {
		if (outcomes[i].result == 0)
			continue;
		failed++;
		EXPECT_INT(outcomes[i].failure.code, HETZNER_RESOURCE_UNAVAILABLE);
		EXPECT(!outcomes[i].failure.outcome_unknown);
	}
	EXPECT_INT(failed, 1);
	fake_api_stop(&api, hetzner);
}
