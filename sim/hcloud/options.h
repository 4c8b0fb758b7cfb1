/* The command line of hcloud-sim: one table for the parser, -h and the man page. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/opts.h"
#include "hcloud/sim.h"

struct sim_options {
	const char *listen;
	struct opt_list tokens;
	struct opt_list faults;
	const char *env_file;
	const char *state;
	const char *control_token;
	const char *tls_cert;
	const char *tls_key;
	const char *machines; /* "none", "netns" */
	const char *machine_root;
	const char *machine_dir;
	const char *instance;
	bool clean;
	const char *ip_order;	 /* "lowest", "next", "random", "last-subnet" */
	const char *action_time; /* "fast", "realistic", a duration */
	uint64_t clock_rate;
	uint64_t billed_hour_ms;
	uint64_t rate_limit;
	uint64_t server_limit;
};

/* Fills *ret; *ret_done when help or the man page was printed and there is nothing left to do. */
MUST_CHECK int options_parse(struct sim_options *ret, int argc, const char **argv, bool *ret_done,
			     struct error *err);
void options_release(struct sim_options *options);
MUST_CHECK int options_settings(const struct sim_options *options, struct sim_settings *ret,
				struct error *err);
