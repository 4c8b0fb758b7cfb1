#include "cloud/hetzner_retry.h"

#include "base/str.h"

/* The API has told that nothing was done, and that asking later may help. */
static bool is_refused_for_now(enum hetzner_code code)
{
	return code == HETZNER_RATE_LIMIT_EXCEEDED || code == HETZNER_LOCKED ||
	       code == HETZNER_CONFLICT;
}

static bool is_servers_fault(const struct hetzner_failure *failure)
{
	return failure->code == HETZNER_UNREACHABLE || failure->http_status >= 500;
}

bool hetzner_is_outcome_unknown(const char *method, const struct hetzner_failure *failure,
				bool was_sent)
{
	return str_eq(method, "POST") && was_sent && is_servers_fault(failure);
}

int64_t hetzner_retry_ms(const char *method, const struct hetzner_failure *failure, bool was_sent,
			 unsigned tries, uint64_t backoff_ms, uint64_t random)
{
	uint64_t interval_ms = backoff_ms;

	if (tries >= HETZNER_TRIES_MAX)
		return -1;
	if (!is_refused_for_now(failure->code)) {
		if (!is_servers_fault(failure) ||
		    hetzner_is_outcome_unknown(method, failure, was_sent))
			return -1;
	}
	for (unsigned i = 1; i < tries && interval_ms < HETZNER_BACKOFF_MAX_MS; i++)
		interval_ms *= 2;
	if (interval_ms > HETZNER_BACKOFF_MAX_MS)
		interval_ms = HETZNER_BACKOFF_MAX_MS;
	return (int64_t)(interval_ms / 2 + random % (interval_ms / 2 + 1));
}
