#include "sandbox/network_rules.h"

#include <arpa/inet.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/str.h"

#define RULES_BYTES_MAX 16384

static const struct {
	const char *network;
	unsigned bits;
} blocked[] = {
	{"0.0.0.0", 8},      {"10.0.0.0", 8},    {"100.64.0.0", 10}, {"127.0.0.0", 8},
	{"169.254.0.0", 16}, {"172.16.0.0", 12}, {"192.0.0.0", 24},  {"192.168.0.0", 16},
	{"224.0.0.0", 3}, /* multicast, reserved, broadcast */
};

char *network_table_name(const char *identity, bool router)
{
	return xasprintf("%s%s", router ? NETWORK_ROUTER_PREFIX : "rgrid_jobs_", identity);
}

bool network_table_is_listed(const char *tables, const char *name)
{
	CLEANUP(cleanup_free) char *line = xasprintf("table inet %s\n", name);
	return strstr(tables, line) != NULL;
}

bool network_is_blocked(uint32_t address)
{
	for (size_t i = 0; i < ARRAY_SIZE(blocked); i++) {
		struct in_addr network;
		CHECK(inet_pton(AF_INET, blocked[i].network, &network) == 1);
		uint32_t mask = UINT32_MAX << (32 - blocked[i].bits);
		if ((address & mask) == ntohl(network.s_addr))
			return true;
	}
	return false;
}

static void append_blocked(struct buf *rules)
{
	buf_append_str(rules, "\tset blocked { type ipv4_addr; flags interval; elements = {");
	for (size_t i = 0; i < ARRAY_SIZE(blocked); i++)
		buf_appendf(rules, "%s %s/%u", i == 0 ? "" : ",", blocked[i].network,
			    blocked[i].bits);
	buf_append_str(rules, " } }\n");
}

static void append_forward(struct buf *rules, const char *identity, bool router)
{
	buf_append_str(rules,
		       "\tchain forward {\n"
		       "\t\ttype filter hook forward priority filter; policy accept;\n");
	/* Out of a job: IPv4 from its own address to the public, never to another job. */
	buf_appendf(rules,
		    "\t\tiifname \"rgj%s*\" meta nfproto != ipv4 drop\n"
		    "\t\tiifname \"rgj%s*\" ip saddr != 172.31.0.0/16 drop\n"
		    "\t\tiifname \"rgj%s*\" oifname \"rgj*\" drop\n"
		    "\t\tiifname \"rgj%s*\" ip daddr @blocked reject with icmpx admin-prohibited\n"
		    "\t\tiifname \"rgj%s*\" accept\n",
		    identity, identity, identity, identity, identity);
	/* Into a job: answers only. */
	buf_appendf(rules,
		    "\t\toifname \"rgj%s*\" ct state established,related accept\n"
		    "\t\toifname \"rgj%s*\" drop\n",
		    identity, identity);
	if (router)
		buf_append_str(rules, "\t\tiifname != \"rgj*\" oifname != \"rgj*\" drop\n");
	buf_append_str(rules, "\t}\n");
}

char *network_rules(const char *identity, bool router)
{
	CLEANUP(cleanup_free) char *name = network_table_name(identity, router);
	CLEANUP(cleanup_buf) struct buf rules;
	buf_init(&rules, RULES_BYTES_MAX);
	buf_appendf(&rules, "table inet %s {\n", name);
	append_blocked(&rules);
	append_forward(&rules, identity, router);
	/* The worker itself, by whichever of its addresses. */
	buf_appendf(&rules,
		    "\tchain input {\n"
		    "\t\ttype filter hook input priority filter; policy accept;\n"
		    "\t\tiifname \"rgj%s*\" drop\n"
		    "\t}\n",
		    identity);
	buf_appendf(&rules,
		    "\tchain masquerade {\n"
		    "\t\ttype nat hook postrouting priority srcnat;\n"
		    "\t\tiifname \"rgj%s*\" masquerade\n"
		    "\t}\n"
		    "}\n",
		    identity);
	CHECK(!rules.overflowed);
	return buf_detach(&rules);
}
