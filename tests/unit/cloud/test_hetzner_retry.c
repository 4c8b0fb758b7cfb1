#include "cloud/hetzner_retry.h"

#include "base/check.h"
#include "tap.h"

static bool is_repeated(const char *method, enum hetzner_code code, long status, bool was_sent)
{
	struct hetzner_failure failure = {.code = code, .http_status = status};

	return hetzner_retry_ms(method, &failure, was_sent, 1, HETZNER_BACKOFF_MS, 0) >= 0;
}

TEST(what_was_refused_is_repeated)
{
	static const char *const methods[] = {"GET", "PUT", "DELETE", "POST"};

	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		EXPECT(is_repeated(methods[i], HETZNER_RATE_LIMIT_EXCEEDED, 429, true));
		EXPECT(is_repeated(methods[i], HETZNER_LOCKED, 423, true));
		EXPECT(is_repeated(methods[i], HETZNER_CONFLICT, 409, true));
		EXPECT(is_repeated(methods[i], HETZNER_UNREACHABLE, 0, false));
	}
}

TEST(what_is_final_is_not)
{
	static const struct {
		enum hetzner_code code;
		long status;
	} finals[] = {{HETZNER_UNAUTHORIZED, 401},
		      {HETZNER_RESOURCE_LIMIT_EXCEEDED, 403},
		      {HETZNER_NOT_FOUND, 404},
		      {HETZNER_UNIQUENESS_ERROR, 409},
		      {HETZNER_RESOURCE_UNAVAILABLE, 412},
		      {HETZNER_INVALID_INPUT, 422},
		      {HETZNER_PROTECTED, 423},
		      {HETZNER_UNKNOWN, 302}};

	for (size_t i = 0; i < ARRAY_SIZE(finals); i++) {
		EXPECT(!is_repeated("GET", finals[i].code, finals[i].status, true));
		EXPECT(!is_repeated("POST", finals[i].code, finals[i].status, true));
	}
}

TEST(a_post_without_an_answer_is_not)
{
	static const struct {
		enum hetzner_code code;
		long status;
	} unknowns[] = {{HETZNER_UNREACHABLE, 0},    {HETZNER_UNREACHABLE, 201},
			{HETZNER_SERVER_ERROR, 500}, {HETZNER_BAD_GATEWAY, 502},
			{HETZNER_UNAVAILABLE, 503},  {HETZNER_TIMEOUT, 504}};

	for (size_t i = 0; i < ARRAY_SIZE(unknowns); i++) {
		struct hetzner_failure failure = {.code = unknowns[i].code,
						  .http_status = unknowns[i].status};

		EXPECT(!is_repeated("POST", unknowns[i].code, unknowns[i].status, true));
		EXPECT(hetzner_is_outcome_unknown("POST", &failure, true));
		EXPECT(is_repeated("GET", unknowns[i].code, unknowns[i].status, true));
		EXPECT(is_repeated("DELETE", unknowns[i].code, unknowns[i].status, true));
		EXPECT(!hetzner_is_outcome_unknown("DELETE", &failure, true));
	}
}

TEST(the_wait_doubles_has_jitter_and_ends)
{
	struct hetzner_failure failure = {.code = HETZNER_LOCKED, .http_status = 423};
	int64_t interval_ms = HETZNER_BACKOFF_MS;

	for (unsigned tries = 1; tries < HETZNER_TRIES_MAX; tries++) {
		EXPECT_INT(hetzner_retry_ms("GET", &failure, true, tries, HETZNER_BACKOFF_MS, 0),
			   interval_ms / 2);
		EXPECT_INT(hetzner_retry_ms("GET", &failure, true, tries, HETZNER_BACKOFF_MS,
					    (uint64_t)interval_ms / 2),
			   interval_ms);
		interval_ms *= 2;
	}
	EXPECT_INT(
		hetzner_retry_ms("GET", &failure, true, HETZNER_TRIES_MAX, HETZNER_BACKOFF_MS, 0),
		-1);
}
