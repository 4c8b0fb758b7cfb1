/* Waiting for actions. */
#include "base/check.h"
#include "fake_api.h"
#include "tap.h"

#define ACTION(id, status, error)                                                                 \
	"{\"id\":" id ",\"command\":\"create_server\",\"status\":\"" status "\",\"progress\":50," \
	"\"error\":" error "}"
#define ACTIONS(items) "{\"actions\":[" items "]}"

static const struct hetzner_actions two = {.ids = {1, 2}, .count = 2};

TEST(they_are_waited_for_together)
{
	static const struct fake_step steps[] = {
		{FAKE_ANSWERS, 200, NULL,
		 ACTIONS(ACTION("2", "running", "null") "," ACTION("1", "running", "null"))},
		{FAKE_ANSWERS, 200, NULL,
		 ACTIONS(ACTION("1", "success", "null") "," ACTION("2", "running", "null"))},
		{FAKE_ANSWERS, 200, NULL, ACTIONS(ACTION("2", "success", "null"))}};
	struct fake_api api;
	struct hetzner *hetzner = FAKE_START(&api, steps);
	struct error err;

	EXPECT_OK(hetzner_actions_wait(hetzner, &two, &err), err);
	EXPECT_INT(api.request_count, 3);
	EXPECT(fake_api_was_asked(&api, 0, "GET /v1/actions?id=1&id=2 "));
	EXPECT(fake_api_was_asked(&api, 2, "GET /v1/actions?id=2 "));
	fake_api_stop(&api, hetzner);
}

TEST(one_that_fails_is_the_error)
{
	static const struct fake_step steps[] = {
		{FAKE_ANSWERS, 200, NULL,
		 ACTIONS(ACTION("1", "success", "null") "," ACTION(
			 "2", "error", "{\"code\":\"action_failed\",\"message\":\"no luck\"}"))}};
	struct fake_api api;
	struct hetzner *hetzner = FAKE_START(&api, steps);
	struct error err;

	EXPECT_ERR(hetzner_actions_wait(hetzner, &two, &err), err, ERR_CONFLICT);
	EXPECT_STR(err.msg,
		   "Hetzner Cloud's action create_server (2) failed: no luck (action_failed)");
	EXPECT_INT(hetzner_last_failure(hetzner)->code, HETZNER_ACTION_FAILED);
	fake_api_stop(&api, hetzner);
}

TEST(one_that_never_ends_meets_the_deadline)
{
	static const struct fake_step steps[] = {
		{FAKE_ANSWERS, 200, NULL, ACTIONS(ACTION("1", "running", "null"))}};
	static const struct hetzner_actions one = {.ids = {1}, .count = 1};
	struct fake_api api;
	struct hetzner *idle = FAKE_START(&api, steps);
	struct hetzner_options options = {
		.token = FAKE_TOKEN, .endpoint = api.endpoint, .action_timeout_ms = 300};
	struct hetzner *hetzner = NULL;
	struct error err;

	EXPECT_OK(hetzner_new(&options, &hetzner, &err), err);
	EXPECT_ERR(hetzner_actions_wait(hetzner, &one, &err), err, ERR_TIMEOUT);
	hetzner_free(hetzner);
	fake_api_stop(&api, idle);
}

TEST(one_that_is_not_in_the_answer_is_not_found)
{
	static const struct fake_step steps[] = {
		{FAKE_ANSWERS, 200, NULL, ACTIONS(ACTION("1", "success", "null"))}};
	struct fake_api api;
	struct hetzner *hetzner = FAKE_START(&api, steps);
	struct error err;

	EXPECT_ERR(hetzner_actions_wait(hetzner, &two, &err), err, ERR_NOT_FOUND);
	fake_api_stop(&api, hetzner);
}

TEST(sixty_are_asked_for_in_batches)
{
	static char bodies[3][8192];
	static struct hetzner_action actions[60];
	struct fake_step steps[3];
	struct fake_api api;
	struct error err;
	int64_t ids[60];

	for (int i = 0; i < 60; i++) {
		size_t used = strlen(bodies[i / 25]);

		ids[i] = i + 1;
		(void)snprintf(bodies[i / 25] + used, sizeof(bodies[0]) - used,
			       "%s{\"id\":%d,\"command\":\"c\",\"status\":\"success\","
			       "\"progress\":100,\"error\":null}",
			       used == 0 ? "{\"actions\":[" : ",", i + 1);
	}
	for (size_t i = 0; i < 3; i++) {
		size_t used = strlen(bodies[i]);

		(void)snprintf(bodies[i] + used, sizeof(bodies[0]) - used, "]}");
		steps[i] = (struct fake_step){FAKE_ANSWERS, 200, NULL, bodies[i]};
	}
	struct hetzner *hetzner = FAKE_START(&api, steps);
	EXPECT_OK(hetzner_actions_get(hetzner, ids, 60, actions, &err), err);
	EXPECT_INT(api.request_count, 3);
	for (int i = 0; i < 60; i++)
		EXPECT_INT(actions[i].id, i + 1);
	fake_api_stop(&api, hetzner);
}
