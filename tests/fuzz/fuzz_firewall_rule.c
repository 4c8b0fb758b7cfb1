/* Any JSON as the rules of a firewall: what is accepted comes back whole, and is accepted again. */
#include "base/check.h"
#include "base/json.h"
#include "hcloud/firewall_rule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	CLEANUP(cleanup_json) json_t *rules = NULL;
	CLEANUP(cleanup_json) json_t *read = NULL;
	CLEANUP(cleanup_json) json_t *again = NULL;
	struct problem problem;
	struct error err;

	if (json_parse((const char *)data, bytes, &rules, &err) < 0)
		return 0;
	if (firewall_rules_read(rules, &read, &problem) < 0) {
		CHECK(problem.code == PROBLEM_INVALID_INPUT);
		return 0;
	}
	CHECK(firewall_rules_read(read, &again, &problem) == 0);
	CHECK(json_equal(read, again));
	return 0;
}
