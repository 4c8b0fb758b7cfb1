/* What Hetzner's answers mean for the fleet. */
#include "orchestrator/hetzner_fleet.h"

#include "base/check.h"
#include "fake_answers.h"
#include "fake_api.h"
#include "tap.h"

TEST(refusals_have_their_meaning)
{
	static const struct {
		struct hetzner_failure failure;
		enum fleet_answer answer;
	} rows[] = {
		{{.code = HETZNER_OK}, FLEET_ANSWER_ACCEPTED},
		{{.code = HETZNER_RESOURCE_UNAVAILABLE}, FLEET_ANSWER_SOLD_OUT},
		{{.code = HETZNER_LOCATION_UNSUPPORTED}, FLEET_ANSWER_WITHDRAWN},
		{{.code = HETZNER_RESOURCE_LIMIT_EXCEEDED}, FLEET_ANSWER_QUOTA},
		{{.code = HETZNER_NO_SUBNET_AVAILABLE}, FLEET_ANSWER_NETWORK_FULL},
		{{.code = HETZNER_PLACEMENT_ERROR}, FLEET_ANSWER_NETWORK_FULL},
		{{.code = HETZNER_IP_NOT_AVAILABLE}, FLEET_ANSWER_NETWORK_FULL},
		{{.code = HETZNER_SERVICE_ERROR, .message = "no subnet or IP available"},
		 FLEET_ANSWER_NETWORK_FULL},
		{{.code = HETZNER_SERVICE_ERROR, .message = "oops"}, FLEET_ANSWER_TROUBLE},
		{{.code = HETZNER_INVALID_INPUT}, FLEET_ANSWER_REFUSED},
		{{.code = HETZNER_JSON_ERROR}, FLEET_ANSWER_REFUSED},
		{{.code = HETZNER_NOT_FOUND}, FLEET_ANSWER_REFUSED},
		{{.code = HETZNER_UNSUPPORTED_ERROR}, FLEET_ANSWER_REFUSED},
		{{.code = HETZNER_RATE_LIMIT_EXCEEDED}, FLEET_ANSWER_TROUBLE},
		{{.code = HETZNER_MAINTENANCE}, FLEET_ANSWER_TROUBLE},
		{{.code = HETZNER_UNAUTHORIZED}, FLEET_ANSWER_TROUBLE},
		{{.code = HETZNER_TOKEN_READONLY}, FLEET_ANSWER_TROUBLE},
		{{.code = HETZNER_UNREACHABLE}, FLEET_ANSWER_TROUBLE},
		{{.code = HETZNER_UNKNOWN}, FLEET_ANSWER_TROUBLE},
		{{.code = HETZNER_UNIQUENESS_ERROR}, FLEET_ANSWER_UNKNOWN},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (hetzner_fleet_answer(&rows[i].failure) != rows[i].answer)
			tap_fail(__FILE__, __LINE__, "row %zu is %d, expected %d", i,
				 (int)hetzner_fleet_answer(&rows[i].failure), (int)rows[i].answer);
	}
}

/* Whatever the code is: such an order may have been carried out. */
TEST(an_unknown_outcome_is_always_unknown)
{
	for (int code = HETZNER_UNKNOWN; code < HETZNER_CODE_MAX; code++) {
		struct hetzner_failure failure = {.code = (enum hetzner_code)code,
						  .outcome_unknown = true};

		EXPECT_INT(hetzner_fleet_answer(&failure), FLEET_ANSWER_UNKNOWN);
	}
}

TEST(listings_take_a_quarter_of_the_requests_at_most)
{
	static const struct {
		size_t servers;
		uint64_t requests;
	} rows[] = {{0, 1}, {50, 1}, {51, 3}, {100, 3}, {200, 5}, {2000, 41}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t busy_ms = hetzner_fleet_list_again_ms(rows[i].servers, true);
		uint64_t idle_ms = hetzner_fleet_list_again_ms(rows[i].servers, false);

		EXPECT_INT(hetzner_listing_requests(rows[i].servers), rows[i].requests);
		EXPECT_INT(busy_ms, 4000 * rows[i].requests);
		EXPECT_INT(idle_ms, busy_ms > 60000 ? busy_ms : 60000);
	}
}

/* Orders, against a scripted API */

#define SERVER(grid)                                                           \
	"{\"server\":{\"id\":42,\"name\":\"w\",\"status\":\"running\","        \
	"\"locked\":false,\"created\":\"2026-01-30T23:55:00Z\","               \
	"\"server_type\":{\"name\":\"cx23\"},\"location\":{\"name\":\"nbg1\"," \
	"\"network_zone\":\"eu-central\"},\"public_net\":{\"ipv4\":null,"      \
	"\"ipv6\":null},\"private_net\":[],\"placement_group\":null,"          \
	"\"labels\":{\"managed-by\":\"rgrid\",\"rgrid-role\":\"worker\","      \
	"\"rgrid-grid\":\"" grid "\"}}}"
#define ACTION(id, command, status, error)                                \
	"{\"id\":" id ",\"command\":\"" command "\",\"status\":\"" status \
	"\",\"progress\":50,\"error\":" error "}"
#define WELL(id, command) ACTION(id, command, "success", "null")
#define RUNS(id, command) ACTION(id, command, "running", "null")
#define FAILS(id, command) \
	ACTION(id, command, "error", "{\"code\":\"action_failed\",\"message\":\"no luck\"}")
#define OF_FIRST                   \
	WELL("1", "create_server") \
	"," FAILS("2", "start_server") "," RUNS("3", "attach_to_network") ","
#define OF_SECOND WELL("4", "create_server") "," RUNS("5", "start_server") ","
#define OF_THIRD  WELL("6", "create_server")

struct side {
	struct fake_api api;
	struct hetzner *hetzner;
	struct hetzner_fleet *fleet;
	struct fleet_cloud cloud;
};

static void side_open(struct side *side, const struct fake_step *steps, size_t count)
{
	side->hetzner = fake_api_start(&side->api, steps, count, FAKE_TIMEOUT_MS);
	struct hetzner_fleet_options options = {.hetzner = side->hetzner, .grid_id = "ours"};
	side->fleet = hetzner_fleet_new(&options, &side->cloud);
}

static void side_close(struct side *side)
{
	hetzner_fleet_free(side->fleet);
	fake_api_stop(&side->api, side->hetzner);
}

static struct fleet_deletion order_deletion(struct side *side)
{
	struct fleet_deletion deletion = {.worker_id = 7, .server_id = 42};

	side->cloud.delete(side->cloud.context, &deletion, 1);
	return deletion;
}

TEST(a_server_that_the_listing_lacked_is_deleted_when_it_is_ours)
{
	static const struct fake_step steps[] = {
		{FAKE_ANSWERS, 200, NULL, SERVER("ours")},
		{FAKE_ANSWERS, 200, NULL, "{\"action\":" RUNS("1", "delete_server") "}"}};
	struct side side;

	side_open(&side, steps, ARRAY_SIZE(steps));
	struct fleet_deletion deletion = order_deletion(&side);
	EXPECT_INT(deletion.ret_answer, FLEET_ANSWER_ACCEPTED);
	EXPECT(fake_api_was_asked(&side.api, 0, "GET /v1/servers/42 "));
	EXPECT(fake_api_was_asked(&side.api, 1, "DELETE /v1/servers/42 "));
	side_close(&side);
}

TEST(a_server_that_carries_another_grids_label_is_not_deleted)
{
	static const struct fake_step steps[] = {{FAKE_ANSWERS, 200, NULL, SERVER("theirs")}};
	struct side side;

	side_open(&side, steps, ARRAY_SIZE(steps));
	struct fleet_deletion deletion = order_deletion(&side);
	EXPECT_INT(deletion.ret_answer, FLEET_ANSWER_REFUSED);
	EXPECT_STR(deletion.ret_message, "server 42 does not carry the labels of this grid");
	EXPECT_INT(side.api.request_count, 1);
	side_close(&side);
}

TEST(nor_one_whose_labels_cannot_be_read)
{
	static const struct fake_step steps[] = {
		{FAKE_ANSWERS, 401, NULL, ERROR_BODY("unauthorized", "no")}};
	struct side side;

	side_open(&side, steps, ARRAY_SIZE(steps));
	struct fleet_deletion deletion = order_deletion(&side);
	EXPECT_INT(deletion.ret_answer, FLEET_ANSWER_TROUBLE);
	EXPECT_INT(side.api.request_count, 1);
	side_close(&side);
}

TEST(a_protected_server_is_no_trouble_with_the_provider)
{
	static const struct fake_step steps[] = {
		{FAKE_ANSWERS, 200, NULL, SERVER("ours")},
		{FAKE_ANSWERS, 423, NULL, ERROR_BODY("protected", "delete protection is enabled")}};
	struct side side;

	side_open(&side, steps, ARRAY_SIZE(steps));
	struct fleet_deletion deletion = order_deletion(&side);
	EXPECT_INT(deletion.ret_answer, FLEET_ANSWER_REFUSED);
	EXPECT(strstr(deletion.ret_message, "delete protection is enabled") != NULL);
	side_close(&side);
}

TEST(what_is_not_there_has_been_deleted)
{
	static const struct fake_step steps[] = {
		{FAKE_ANSWERS, 404, NULL, ERROR_BODY("not_found", "no")}};
	struct side side;

	side_open(&side, steps, ARRAY_SIZE(steps));
	struct fleet_deletion deletion = order_deletion(&side);
	EXPECT_INT(deletion.ret_answer, FLEET_ANSWER_ACCEPTED);
	EXPECT_INT(side.api.request_count, 1);
	side_close(&side);
}

/* A creation goes well when all of its actions do, not its first alone; and one that fails is
 * reason enough, whatever becomes of the others. */
TEST(a_creation_fails_with_any_of_its_actions)
{
	static const struct fake_step steps[] = {
		{FAKE_ANSWERS, 200, NULL, "{\"actions\":[" OF_FIRST OF_SECOND OF_THIRD "]}"}};
	static const struct fleet_pending pendings[] = {
		{.worker_id = 7, .server_id = 42, .action_ids = {1, 2, 3}, .action_count = 3},
		{.worker_id = 8, .server_id = 43, .action_ids = {4, 5}, .action_count = 2},
		{.worker_id = 9, .server_id = 44, .action_ids = {6}, .action_count = 1}};
	struct fleet_look looks[3];
	struct error err;
	struct side side;

	side_open(&side, steps, ARRAY_SIZE(steps));
	EXPECT_OK(side.cloud.look(side.cloud.context, pendings, 3, looks, &err), err);
	EXPECT(looks[0].ret_ended && looks[0].ret_failed);
	EXPECT_STR(looks[0].ret_message, "start_server: no luck (action_failed)");
	EXPECT(!looks[1].ret_ended && !looks[1].ret_failed);
	EXPECT(looks[2].ret_ended && !looks[2].ret_failed);
	EXPECT_INT(side.api.request_count, 1);
	side_close(&side);
}
