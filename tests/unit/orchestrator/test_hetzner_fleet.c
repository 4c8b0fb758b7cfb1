/* What Hetzner's refusals mean for the fleet, and how the choices are written. */
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

TEST(choices_are_read_in_order)
{
	static const char *const texts[] = {"cx23:nbg1,cpx11-a:hel1", "cx23:nbg1, cpx11-a:hel1",
					    " ,cx23:nbg1 cpx11-a:hel1, ,"};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct hetzner_fleet_choice choices[2];
		struct error err;
		size_t count = 0;

		EXPECT_OK(hetzner_fleet_choices_parse(texts[i], choices, 2, &count, &err), err);
		EXPECT_INT(count, 2);
		EXPECT_STR(choices[0].server_type, "cx23");
		EXPECT_STR(choices[0].location, "nbg1");
		EXPECT_STR(choices[1].server_type, "cpx11-a");
		EXPECT_STR(choices[1].location, "hel1");
	}
}

TEST(other_choices_are_refused)
{
	static const char *const texts[] = {
		"",
		" , ",
		"cx23",
		":nbg1",
		"cx23:",
		":",
		"cx23:nbg1:x",
		"cx23:nbg1,cx33",
		"CX23:nbg1",
		"cx23:nbg1;",
		"cx23:nbg1\ncx33",
		"cx23:nb\xc3\xa4",
		"a:b c:d e:f",
		"cx23:/../x",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct hetzner_fleet_choice choices[2];
		struct error err = {0};
		size_t count = 0;

		if (hetzner_fleet_choices_parse(texts[i], choices, 2, &count, &err) == 0)
			tap_fail(__FILE__, __LINE__, "\"%s\" was read", texts[i]);
		EXPECT_INT(err.code, ERR_INVALID);
		EXPECT_INT(count, 0);
	}
}

TEST(names_that_are_too_long_are_refused)
{
	char text[FLEET_NAME_BYTES + 8];
	struct hetzner_fleet_choice choice;
	struct error err;
	size_t count = 0;

	memset(text, 'a', FLEET_NAME_BYTES - 1);
	memcpy(text + FLEET_NAME_BYTES - 1, ":x", 3);
	EXPECT_OK(hetzner_fleet_choices_parse(text, &choice, 1, &count, &err), err);
	EXPECT_INT(strlen(choice.server_type), FLEET_NAME_BYTES - 1);
	memcpy(text + FLEET_NAME_BYTES - 1, "a:x", 4);
	EXPECT_ERR(hetzner_fleet_choices_parse(text, &choice, 1, &count, &err), err, ERR_INVALID);
	EXPECT(strstr(err.hint, "cx23:nbg1") != NULL);
}
