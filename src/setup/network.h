/* `rgrid network setup|status|rollback`: the private network between the control plane's server and
 * its workers, at Hetzner Cloud. What is decided is in core/network_plan.h; here it is looked at,
 * done and told. */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "conf/conf.h"
#include "core/network_plan.h"

struct network_options {
	const struct conf *conf;
	struct network_wish wish;
	const char *server;   /* --server: name or id; NULL: find out */
	const char *env_file; /* --env-file; NULL: ENV_FILE_DEFAULT */
	bool write_env;	      /* write the file, whatever stands against it */
	bool keep_env;	      /* do not write it */
	bool dry_run;
	bool json;
	bool delete_network; /* of rollback */
};

/* Finds or makes network, subnet and attachment, prints the values, and puts them into the
 * orchestrator's environment file: always with write_env or a named env_file, never with keep_env,
 * else when the directory of the file exists and takes files from us. */
MUST_CHECK int network_setup(const struct network_options *options, struct error *err);
/* What is there against what should be, a line each. ERR_CONFLICT when something is not. */
MUST_CHECK int network_status(const struct network_options *options, struct error *err);
/* Takes the two values out of the environment file, and deletes the network if asked to. Opens
 * nothing: what workers do without the network is said in words. */
MUST_CHECK int network_rollback(const struct network_options *options, struct error *err);

/* The environment file that is meant. */
const char *network_env_path(const struct network_options *options);
/* "Would do" of --dry-run, on stdout. */
void network_print_plan(const struct network_options *options, const struct network_plan *plan,
			const char *env_change);
