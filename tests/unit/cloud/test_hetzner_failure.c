#include "cloud/hetzner_failure.h"

#include "base/check.h"
#include "tap.h"

static struct error explain(long status, const char *body, struct hetzner_failure *failure)
{
	struct error err = {0};
	json_t *json = json_loads(body, 0, NULL);

	*failure = (struct hetzner_failure){.correlation_id = "c0ffee"};
	hetzner_failure_read(json, status, failure);
	hetzner_failure_explain(failure, "POST", "/servers?x=1", &err);
	json_decref(json);
	return err;
}

TEST(codes_have_meanings)
{
	static const struct {
		const char *name;
		long status;
		enum hetzner_code code;
		enum error_code error;
	} rows[] = {
		{"unauthorized", 401, HETZNER_UNAUTHORIZED, ERR_UNAUTHENTICATED},
		{"token_readonly", 401, HETZNER_TOKEN_READONLY, ERR_FORBIDDEN},
		{"resource_limit_exceeded", 403, HETZNER_RESOURCE_LIMIT_EXCEEDED, ERR_LIMIT},
		{"not_found", 404, HETZNER_NOT_FOUND, ERR_NOT_FOUND},
		{"uniqueness_error", 409, HETZNER_UNIQUENESS_ERROR, ERR_CONFLICT},
		{"resource_unavailable", 412, HETZNER_RESOURCE_UNAVAILABLE, ERR_UNAVAILABLE},
		{"rate_limit_exceeded", 429, HETZNER_RATE_LIMIT_EXCEEDED, ERR_RATE_LIMITED},
		{"server_error", 500, HETZNER_SERVER_ERROR, ERR_UNAVAILABLE},
		{"new_code", 422, HETZNER_UNKNOWN, ERR_UNPROCESSABLE},
		{"new_code", 500, HETZNER_SERVER_ERROR, ERR_UNAVAILABLE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct hetzner_failure failure;
		char body[128];

		(void)snprintf(body, sizeof(body), "{\"error\":{\"details\":null,\"code\":\"%s\"}}",
			       rows[i].name);
		struct error err = explain(rows[i].status, body, &failure);
		EXPECT_INT(failure.code, rows[i].code);
		EXPECT_INT(failure.http_status, rows[i].status);
		EXPECT_INT(err.code, rows[i].error);
	}
}

TEST(the_message_says_what_and_where)
{
	struct hetzner_failure failure;
	struct error err = explain(
		403,
		"{\"error\":{\"code\":\"resource_limit_exceeded\",\"message\":\"server limit\"}}",
		&failure);

	EXPECT_STR(err.msg, "Hetzner Cloud, POST /servers: server limit (resource_limit_exceeded, "
			    "correlation id c0ffee)");
	EXPECT_STR(err.hint, "ask Hetzner for a higher limit, or delete what is not needed");
}

TEST(a_withdrawn_type_is_told_by_its_message)
{
	struct hetzner_failure failure;

	(void)explain(422,
		      "{\"error\":{\"code\":\"invalid_input\",\"message\":\"unsupported location "
		      "for server type\"}}",
		      &failure);
	EXPECT_INT(failure.code, HETZNER_LOCATION_UNSUPPORTED);
}

TEST(without_words_the_status_decides)
{
	static const struct {
		long status;
		enum hetzner_code code;
	} rows[] = {{401, HETZNER_UNAUTHORIZED},
		    {404, HETZNER_UNKNOWN},
		    {429, HETZNER_RATE_LIMIT_EXCEEDED},
		    {502, HETZNER_BAD_GATEWAY},
		    {504, HETZNER_TIMEOUT},
		    {599, HETZNER_SERVER_ERROR},
		    {302, HETZNER_UNKNOWN}};
	static const char *const bodies[] = {"", "[]", "{\"error\":5}",
					     "{\"error\":{\"code\":{}}}"};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(bodies); k++) {
			struct hetzner_failure failure;

			(void)explain(rows[i].status, bodies[k], &failure);
			EXPECT_INT(failure.code, rows[i].code);
		}
	}
}

TEST(every_code_of_the_list_is_found)
{
	for (int code = HETZNER_JSON_ERROR; code < HETZNER_CODE_MAX; code++)
		EXPECT_INT(hetzner_code_find(hetzner_code_name((enum hetzner_code)code)), code);
	EXPECT_INT(hetzner_code_find(""), HETZNER_UNKNOWN);
}

TEST(every_failure_says_what_to_do)
{
	for (int code = HETZNER_UNKNOWN; code < HETZNER_CODE_MAX; code++) {
		const struct hetzner_failure failure = {.code = (enum hetzner_code)code};
		struct error err = {0};

		hetzner_failure_explain(&failure, "GET", "/servers", &err);
		EXPECT(err.hint[0] != '\0');
		EXPECT_STR(err.hint, hetzner_failure_advice(&failure)); /* not cut off */
		EXPECT(err.code != ERR_NONE);
	}
}
