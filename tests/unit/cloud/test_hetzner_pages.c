/* Listings: whole, or an error, also when they change while they are read. */
#include "base/check.h"
#include "fake_answers.h"
#include "fake_api.h"
#include "tap.h"

#define FIRST  NAMED_PAGE_OF("1", "2", "3", "3", KEY("1"))
#define SECOND NAMED_PAGE_OF("2", "3", "3", "3", KEY("2"))
#define THIRD  NAMED_PAGE_OF("3", "null", "3", "3", KEY("9007199254740991"))

/* Lists ssh keys from these steps: they must be so many, after so many requests. */
static void expect_list(const struct fake_step *steps, size_t step_count, size_t count,
			size_t requests, const char *last_request)
{
	CLEANUP(cleanup_hetzner_named_list) struct hetzner_named_list list = {0};
	struct fake_api api;
	struct hetzner *hetzner = fake_api_start(&api, steps, step_count, FAKE_TIMEOUT_MS);
	struct error err;

	EXPECT_OK(hetzner_ssh_keys_list(hetzner, NULL, &list, &err), err);
	EXPECT_INT(list.count, count);
	for (size_t i = 1; i < count; i++)
		EXPECT(list.items[i].id > list.items[i - 1].id);
	EXPECT_INT(api.request_count, requests);
	EXPECT(strstr(api.requests[requests - 1], last_request) != NULL);
	EXPECT_INT(hetzner_last_failure(hetzner)->code, HETZNER_OK);
	fake_api_stop(&api, hetzner);
}
#define EXPECT_LIST(steps, count, requests, last_request) \
	expect_list(steps, ARRAY_SIZE(steps), count, requests, last_request)

TEST(one_page_is_one_request)
{
	static const struct fake_step steps[] = {
		{FAKE_ANSWERS, 200, NULL, NAMED_PAGE("1", "null", "1", KEY("1"))}};

	EXPECT_LIST(steps, 1, 1, "page=1&per_page=50&sort=id%3Aasc");
}

TEST(pages_are_read_from_the_last_to_the_first)
{
	static const struct fake_step steps[] = {{FAKE_ANSWERS, 200, NULL, FIRST},
						 {FAKE_ANSWERS, 200, NULL, THIRD},
						 {FAKE_ANSWERS, 200, NULL, SECOND},
						 {FAKE_ANSWERS, 200, NULL, FIRST}};

	EXPECT_LIST(steps, 3, 4, "page=1&per_page=50&sort=id%3Aasc");
}

TEST(the_last_page_is_found_if_it_is_not_told)
{
	static const struct fake_step steps[] = {
		{FAKE_ANSWERS, 200, NULL, NAMED_PAGE("1", "2", "2", KEY("1"))},
		{FAKE_ANSWERS, 200, NULL, NAMED_PAGE("2", "null", "2", KEY("2"))},
		{FAKE_ANSWERS, 200, NULL, NAMED_PAGE("2", "null", "2", KEY("2"))},
		{FAKE_ANSWERS, 200, NULL, NAMED_PAGE("1", "2", "2", KEY("1"))}};

	EXPECT_LIST(steps, 2, 4, "page=1");
}

/* One was deleted between the pages: what stood first on the second comes twice, none is missed. */
TEST(a_list_that_shrinks_is_whole)
{
	static const struct fake_step steps[] = {
		{FAKE_ANSWERS, 200, NULL, NAMED_PAGE_OF("1", "2", "2", "4", KEY("1") "," KEY("2"))},
		{FAKE_ANSWERS, 200, NULL,
		 NAMED_PAGE_OF("2", "null", "2", "4", KEY("3") "," KEY("4"))},
		{FAKE_ANSWERS, 200, NULL,
		 NAMED_PAGE_OF("1", "2", "2", "3", KEY("2") "," KEY("3"))}};

	EXPECT_LIST(steps, 3, 3, "page=1");
}

/* One went and one came: the number is the same, and the new one was not seen. */
TEST(a_list_that_lacks_one_is_read_again)
{
	static const struct fake_step steps[] = {
		{FAKE_ANSWERS, 200, NULL, NAMED_PAGE_OF("1", "2", "2", "4", KEY("1") "," KEY("2"))},
		{FAKE_ANSWERS, 200, NULL,
		 NAMED_PAGE_OF("2", "null", "2", "4", KEY("3") "," KEY("4"))},
		{FAKE_ANSWERS, 200, NULL, NAMED_PAGE_OF("1", "2", "2", "4", KEY("2") "," KEY("3"))},
		{FAKE_ANSWERS, 200, NULL, NAMED_PAGE_OF("1", "2", "2", "4", KEY("2") "," KEY("3"))},
		{FAKE_ANSWERS, 200, NULL,
		 NAMED_PAGE_OF("2", "null", "2", "4", KEY("4") "," KEY("5"))},
		{FAKE_ANSWERS, 200, NULL,
		 NAMED_PAGE_OF("1", "2", "2", "4", KEY("2") "," KEY("3"))}};

	EXPECT_LIST(steps, 4, 6, "page=1");
}

TEST(a_list_that_grows_is_read_again)
{
	static const struct fake_step steps[] = {
		{FAKE_ANSWERS, 200, NULL, NAMED_PAGE_OF("1", "2", "2", "2", KEY("1"))},
		{FAKE_ANSWERS, 200, NULL, NAMED_PAGE_OF("2", "3", "3", "3", KEY("2"))},
		{FAKE_ANSWERS, 200, NULL, NAMED_PAGE_OF("1", "2", "3", "3", KEY("1"))},
		{FAKE_ANSWERS, 200, NULL, FIRST},
		{FAKE_ANSWERS, 200, NULL, THIRD},
		{FAKE_ANSWERS, 200, NULL, SECOND},
		{FAKE_ANSWERS, 200, NULL, FIRST}};

	EXPECT_LIST(steps, 3, 7, "page=1");
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
	static const struct fake_step one[] = {
		{FAKE_ANSWERS, 200, NULL, NAMED_PAGE("1", "null", "3", KEY("1"))}};

	EXPECT_NO_LIST(one, "broke off, each of the 5 times");
}

TEST(an_id_listed_twice_is_none)
{
	static const struct fake_step steps[] = {
		{FAKE_ANSWERS, 200, NULL, NAMED_PAGE("1", "null", "2", KEY("1") "," KEY("1"))}};

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
