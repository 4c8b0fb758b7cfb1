/* The client against answers written down: what it sends, repeats and never repeats, and what it
 * makes of answers that are wrong, late, cut off or absent. */
#include <arpa/inet.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/str.h"
#include "fake_api.h"
#include "tap.h"

#define ERROR_BODY(code, text) \
	"{\"error\":{\"code\":\"" code "\",\"message\":\"" text "\",\"details\":null}}"
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
#define NAMED_PAGE(page, next, total, items)                                                     \
	"{\"ssh_keys\":[" items "],\"meta\":{\"pagination\":{\"page\":" page ",\"per_page\":50," \
	"\"previous_page\":null,\"next_page\":" next                                             \
	",\"last_page\":null,\"total_entries\":" total "}}}"
#define KEY(id) "{\"id\":" id ",\"name\":\"k" id "\",\"labels\":{}}"

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

TEST(pages_are_read_to_the_end)
{
	static const struct fake_step steps[] = {
		{FAKE_ANSWERS, 200, NULL, NAMED_PAGE("1", "2", "3", KEY("1"))},
		{FAKE_ANSWERS, 200, NULL, NAMED_PAGE("2", "3", "3", KEY("2"))},
		{FAKE_ANSWERS, 200, NULL, NAMED_PAGE("3", "null", "3", KEY("9007199254740991"))}};
	CLEANUP(cleanup_hetzner_named_list) struct hetzner_named_list list = {0};
	struct fake_api api;
	struct hetzner *hetzner = FAKE_START(&api, steps);
	struct error err;

	EXPECT_OK(hetzner_ssh_keys_list(hetzner, NULL, &list, &err), err);
	EXPECT_INT(list.count, 3);
	EXPECT_INT(list.items[2].id, INT64_C(9007199254740991));
	EXPECT(strstr(api.requests[2], "page=3&per_page=50") != NULL);
	EXPECT_INT(hetzner_last_failure(hetzner)->code, HETZNER_OK);
	fake_api_stop(&api, hetzner);
}

/* Lists ssh keys from these steps: it must fail, with a word of the reason. */
static void expect_no_list(const struct fake_step *steps, size_t count, const char *word)
{
	struct hetzner_named_list list = {0};
	struct fake_api api;
	struct hetzner *hetzner = fake_api_start(&api, steps, count, FAKE_TIMEOUT_MS);
	struct error err = {0};

	EXPECT_ERR(hetzner_ssh_keys_list(hetzner, NULL, &list, &err), err, ERR_UNAVAILABLE);
	EXPECT_INT(list.count, 0);
	if (strstr(err.msg, word) == NULL)
		tap_fail(__FILE__, __LINE__, "\"%s\" is not in \"%s\"", word, err.msg);
	EXPECT(strstr(err.msg, FAKE_TOKEN) == NULL);
	EXPECT(hetzner_last_failure(hetzner)->code != HETZNER_OK);
	fake_api_stop(&api, hetzner);
}
#define EXPECT_NO_LIST(steps, word) expect_no_list(steps, ARRAY_SIZE(steps), word)

TEST(a_failing_second_page_fails_the_list)
{
	static const struct fake_step steps[] = {
		{FAKE_ANSWERS, 200, NULL, NAMED_PAGE("1", "2", "2", KEY("1"))},
		{FAKE_ANSWERS, 500, NULL, ERROR_BODY("server_error", "oops")}};

	EXPECT_NO_LIST(steps, "oops (server_error, correlation id 0123456789abcdef)");
}

TEST(a_list_that_breaks_off_is_none)
{
	static const struct fake_step steps[] = {
		{FAKE_ANSWERS, 200, NULL, NAMED_PAGE("1", "2", "3", KEY("1"))},
		{FAKE_ANSWERS, 200, NULL, NAMED_PAGE("2", "null", "3", KEY("2"))}};

	EXPECT_NO_LIST(steps, "broke off");
}

/* One was deleted between the pages: the first of page 2 has moved to page 1 and is in neither. */
TEST(a_list_that_shrank_between_pages_is_none)
{
	static const struct fake_step steps[] = {
		{FAKE_ANSWERS, 200, NULL, NAMED_PAGE("1", "2", "4", KEY("1") "," KEY("2"))},
		{FAKE_ANSWERS, 200, NULL, NAMED_PAGE("2", "null", "3", KEY("4"))}};

	EXPECT_NO_LIST(steps, "changed");
}

TEST(an_id_listed_twice_is_an_error)
{
	static const struct fake_step steps[] = {
		{FAKE_ANSWERS, 200, NULL, NAMED_PAGE("1", "2", "2", KEY("1"))},
		{FAKE_ANSWERS, 200, NULL, NAMED_PAGE("2", "null", "2", KEY("1"))}};

	EXPECT_NO_LIST(steps, "changed");
}

TEST(a_list_that_goes_back_is_an_error)
{
	static const struct fake_step steps[] = {
		{FAKE_ANSWERS, 200, NULL, NAMED_PAGE("1", "1", "2", KEY("1"))}};

	EXPECT_NO_LIST(steps, "page");
}

TEST(wrong_types_name_the_field)
{
	static const struct fake_step id[] = {
		{FAKE_ANSWERS, 200, NULL, NAMED_PAGE("1", "null", "1", "{\"id\":\"1\"}")}};
	static const struct fake_step huge[] = {
		{FAKE_ANSWERS, 200, NULL, NAMED_PAGE("1", "null", "1", KEY("9007199254740992"))}};
	static const struct fake_step list[] = {{FAKE_ANSWERS, 200, NULL, "{\"ssh_keys\":{}}"}};
	static const struct fake_step meta[] = {{FAKE_ANSWERS, 200, NULL, "{\"ssh_keys\":[]}"}};
	static const struct fake_step broken[] = {{FAKE_ANSWERS, 200, NULL, "{\"ssh_keys\":["}};

	EXPECT_NO_LIST(id, "\"id\"");
	EXPECT_NO_LIST(huge, "\"id\"");
	EXPECT_NO_LIST(list, "\"ssh_keys\"");
	EXPECT_NO_LIST(meta, "\"meta\"");
	EXPECT_NO_LIST(broken, "no JSON");
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
