#include "hcloud/firewall_rule.h"

#include "base/json.h"
#include "base/str.h"
#include "tap.h"

#define RULE_MEMBERS 6

/* The field at fault, "" when the rules are fine. */
static const char *fault_of(const char *text)
{
	static struct problem problem;
	CLEANUP(cleanup_json) json_t *rules = json_loads(text, 0, NULL);
	json_t *read = NULL;

	problem = (struct problem){0};
	EXPECT(rules != NULL);
	if (firewall_rules_read(rules, &read, &problem) == 0) {
		EXPECT_INT(json_array_size(read), json_array_size(rules));
		json_decref(read);
		return "";
	}
	EXPECT_INT(problem.code, PROBLEM_INVALID_INPUT);
	return problem.name;
}

TEST(a_rule_comes_back_whole)
{
	CLEANUP(cleanup_json)
	json_t *rules = json_pack("[{s:s,s:s,s:[s]}]", "direction", "in", "protocol", "icmp",
				  "source_ips", "::/0");
	CLEANUP(cleanup_json) json_t *read = NULL;
	struct problem problem;

	EXPECT_INT(firewall_rules_read(rules, &read, &problem), 0);
	const json_t *rule = json_array_get(read, 0);
	EXPECT_INT(json_object_size(rule), RULE_MEMBERS);
	EXPECT(json_is_null(json_object_get(rule, "port")));
	EXPECT(json_is_null(json_object_get(rule, "description")));
	EXPECT_INT(json_array_size(json_object_get(rule, "destination_ips")), 0);
}

TEST(no_rules)
{
	EXPECT_STR(fault_of("[]"), "");
}

TEST(ports)
{
#define TCP(port)                                                                \
	"[{\"direction\":\"in\",\"protocol\":\"tcp\",\"source_ips\":[\"0.0.0.0/" \
	"0\"],\"port\":" port "}]"
	EXPECT_STR(fault_of(TCP("\"1\"")), "");
	EXPECT_STR(fault_of(TCP("\"65535\"")), "");
	EXPECT_STR(fault_of(TCP("\"1-65535\"")), "");
	EXPECT_STR(fault_of(TCP("\"80-80\"")), "");
	EXPECT_STR(fault_of(TCP("\"any\"")), "");
	EXPECT_STR(fault_of(TCP("\"0\"")), "rules.0.port");
	EXPECT_STR(fault_of(TCP("\"65536\"")), "rules.0.port");
	EXPECT_STR(fault_of(TCP("\"2-1\"")), "rules.0.port");
	EXPECT_STR(fault_of(TCP("\"1-\"")), "rules.0.port");
	EXPECT_STR(fault_of(TCP("\"-1\"")), "rules.0.port");
	EXPECT_STR(fault_of(TCP("\"1-2-3\"")), "rules.0.port");
	EXPECT_STR(fault_of(TCP("\"http\"")), "rules.0.port");
	EXPECT_STR(fault_of(TCP("80")), "rules.0.port");
	EXPECT_STR(fault_of(TCP("null")), "rules.0.port");
#undef TCP
}

TEST(networks)
{
#define FROM(network) "[{\"direction\":\"in\",\"protocol\":\"gre\",\"source_ips\":[" network "]}]"
	EXPECT_STR(fault_of(FROM("\"10.0.0.0/8\",\"2001:db8::/32\",\"1.2.3.4/32\",\"::1/128\"")),
		   "");
	EXPECT_STR(fault_of(FROM("")), "rules.0.source_ips");
	EXPECT_STR(fault_of(FROM("\"10.0.0.0\"")), "rules.0.source_ips");
	EXPECT_STR(fault_of(FROM("\"10.0.0.1/8\"")), "rules.0.source_ips");
	EXPECT_STR(fault_of(FROM("\"10.0.0.0/33\"")), "rules.0.source_ips");
	EXPECT_STR(fault_of(FROM("\"::1/127\"")), "rules.0.source_ips");
	EXPECT_STR(fault_of(FROM("\"::/129\"")), "rules.0.source_ips");
	EXPECT_STR(fault_of(FROM("\"/8\"")), "rules.0.source_ips");
	EXPECT_STR(fault_of(FROM("\"10.0.0.0/\"")), "rules.0.source_ips");
	EXPECT_STR(fault_of(FROM("7")), "rules.0.source_ips");
#undef FROM
}

TEST(the_rule_at_fault_is_counted)
{
	EXPECT_STR(fault_of("[{\"direction\":\"out\",\"protocol\":\"esp\","
			    "\"destination_ips\":[\"::/0\"]},{\"direction\":\"out\","
			    "\"protocol\":\"esp\"}]"),
		   "rules.1.destination_ips");
	EXPECT_STR(fault_of("[7]"), "rules");
	EXPECT_STR(fault_of("[{}]"), "rules.0.direction");
}
