/* Checks of the token and of the API's view of us. */
#include "cloud/hetzner.h"
#include "setup/doctor.h"
#include "setup/network_look.h"

#define BUDGET_FIX                                                                              \
	"all tools of a project share the budget: find the one that asks so often, or give it " \
	"a project of its own"
#define BUDGET_LOW_PERCENT   10
#define BUDGET_SPENT_PERCENT 1
#define SKEW_WARN_MS	     5000 /* the API's Date has whole seconds, and answers take a while */
#define SKEW_BROKEN_MS	     60000
#define NO_SERVER	     9007199254740991 /* the largest id, which none has */

static void check_token(struct doctor *doctor, struct finding *ret)
{
	struct hetzner *hetzner = NULL;
	const struct env_values *env = NULL;
	struct error err = {0};

	if (doctor_hetzner(doctor, &hetzner, &err) == 0) {
		finding_ok(ret, "present");
	} else if (doctor_env(doctor, &env, NULL, &err) == 0 && env->network_id[0] == '\0' &&
		   !doctor_options(doctor)->network_needed && !doctor_orders_servers(doctor)) {
		finding_skipped(ret, "no private network is configured, and there is no token");
	} else {
		CLEANUP(cleanup_free) char *token_file = doctor_token_file(doctor);
		finding_broken(ret, "there is no token in this environment, nor in %s", token_file);
		finding_fix(ret, "export HETZNER_API_TOKEN=…, of the Hetzner Console: Security, "
				 "API tokens, Read & Write");
	}
}

static void check_answers(struct doctor *doctor, struct finding *ret)
{
	const struct network_look *look = NULL;
	struct hetzner *hetzner = NULL;
	struct error err = {0};

	if (doctor_hetzner(doctor, &hetzner, &err) < 0) {
		finding_skipped(ret, "there is no token");
	} else if (doctor_look(doctor, &look, &err) == 0) {
		finding_ok(ret, "%zu servers and %zu networks are in the project",
			   look->servers.count, look->networks.count);
	} else if (err.code == ERR_RATE_LIMITED) {
		finding_skipped(ret, "the request budget is used up");
	} else {
		finding_broken(ret, "%s", err.msg);
		finding_fix(ret, "%s",
			    err.code == ERR_UNAUTHENTICATED
				    ? "make a new token: Hetzner Console, Security, API tokens"
				    : (err.hint[0] != '\0' ? err.hint
							   : "is api.hetzner.cloud reachable?"));
	}
}

/* A server that does not exist cannot be powered on: a token that may write learns that, one that
 * may only read is refused before. */
static void check_scope(struct doctor *doctor, struct finding *ret)
{
	const struct network_look *look = NULL;
	struct hetzner *hetzner = NULL;
	struct hetzner_actions actions = {0};
	struct error err = {0};

	if (!doctor_need_look(doctor, &look, ret) || doctor_hetzner(doctor, &hetzner, &err) < 0)
		return;
	if (hetzner_server_power(hetzner, NO_SERVER, "poweron", &actions, &err) == 0) {
		finding_ok(ret, "it may write");
		return;
	}
	switch ((int)hetzner_last_failure(hetzner)->code) {
	case HETZNER_NOT_FOUND:
		finding_ok(ret, "it may write");
		return;
	case HETZNER_TOKEN_READONLY:
	case HETZNER_FORBIDDEN:
		finding_broken(ret, "the token may only read: no server can be created or deleted");
		finding_fix(ret, "make a token with Read & Write: Hetzner Console, Security, API "
				 "tokens");
		return;
	}
	finding_skipped(ret, "%s", err.msg);
}

static void check_budget(struct doctor *doctor, struct finding *ret)
{
	const struct network_look *look = NULL;
	struct hetzner *hetzner = NULL;
	struct hetzner_budget budget;
	struct error err = {0};

	if (doctor_look(doctor, &look, &err) < 0 && err.code == ERR_RATE_LIMITED) {
		finding_broken(ret, "%s", err.msg);
		finding_fix(ret, BUDGET_FIX);
		return;
	}
	if (!doctor_need_look(doctor, &look, ret) || doctor_hetzner(doctor, &hetzner, &err) < 0)
		return;
	hetzner_budget(hetzner, &budget);
	if (budget.limit == 0) {
		finding_skipped(ret, "the API tells no rate limit");
	} else if (budget.remaining * 100 < budget.limit * BUDGET_SPENT_PERCENT) {
		finding_broken(ret, "%llu of %llu requests are left",
			       (unsigned long long)budget.remaining,
			       (unsigned long long)budget.limit);
		finding_fix(ret, BUDGET_FIX);
	} else if (budget.remaining * 100 < budget.limit * BUDGET_LOW_PERCENT) {
		finding_warn(ret, "%llu of %llu requests are left",
			     (unsigned long long)budget.remaining,
			     (unsigned long long)budget.limit);
		finding_fix(ret, BUDGET_FIX);
	} else {
		finding_ok(ret, "%llu of %llu requests are left",
			   (unsigned long long)budget.remaining, (unsigned long long)budget.limit);
	}
}

static void check_clock(struct doctor *doctor, struct finding *ret)
{
	const struct network_look *look = NULL;
	struct hetzner *hetzner = NULL;
	struct hetzner_budget budget;
	struct error err = {0};

	if (!doctor_need_look(doctor, &look, ret) || doctor_hetzner(doctor, &hetzner, &err) < 0)
		return;
	hetzner_budget(hetzner, &budget);
	int64_t skew_ms = budget.clock_skew_ms;
	int64_t off_ms = skew_ms < 0 ? -skew_ms : skew_ms;
	if (off_ms <= SKEW_WARN_MS) {
		finding_ok(ret, "within %d s of the API's", SKEW_WARN_MS / 1000);
		return;
	}
	const char *direction = skew_ms > 0 ? "behind" : "ahead of";
	if (off_ms > SKEW_BROKEN_MS)
		finding_broken(ret, "it is %lld s %s the API's", (long long)(off_ms / 1000),
			       direction);
	else
		finding_warn(ret, "it is %lld s %s the API's", (long long)(off_ms / 1000),
			     direction);
	finding_fix(ret, "timedatectl set-ntp true: certificates and paid hours depend on it");
}

static const struct check checks[] = {
	{"api-token", "the Hetzner token", check_token},
	{"api-answers", "the Hetzner API", check_answers},
	{"api-scope", "what the token may do", check_scope},
	{"api-budget", "the API's rate limit", check_budget},
	{"api-clock", "this machine's clock", check_clock},
};

const struct check_table doctor_api = {"api", checks, ARRAY_SIZE(checks)};
