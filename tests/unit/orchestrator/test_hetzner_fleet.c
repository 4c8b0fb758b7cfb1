/* What Hetzner's refusals mean for the fleet. */
#include "orchestrator/hetzner_fleet.h"

#include "base/check.h"
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
