/* Hetzner Cloud as the configuration describes it: client, private network or none, prices, and
 * what a new worker's machine is told. Fills the options of the orchestrator that runs on it. */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "cloud/hetzner.h"
#include "conf/conf.h"
#include "core/server_choice.h"
#include "orchestrator/orchestrator.h"
#include "store/pg.h"

struct provider;

/* Reads the grid's id from the database, the token from the environment, the network from the API.
 * ERR_INVALID names the setting that is missing.
 * dry_run: no file is written or removed. *ret_options borrows from the provider. */
MUST_CHECK int provider_open(const struct conf *conf, bool dry_run, struct provider **ret,
			     struct orchestrator_options *ret_options, struct error *err);
/* For who makes servers that are no workers: what there is to make them of. */
MUST_CHECK int provider_open_parts(const struct conf *conf, struct provider **ret,
				   struct error *err);
struct provider_parts {
	struct hetzner *hetzner; /* interrupted by a pending SIGTERM or SIGINT */
	struct pg *pg;
	const char *grid_id;
	const char *gateway;
	const char *ca_pem;
	const struct server_choice *choices; /* in order of preference */
	size_t choice_count;
	const int64_t *ssh_key_ids;
	size_t ssh_key_count;
	const int64_t *firewall_ids;
	size_t firewall_count;
};
/* For loops that wait; where these signals are blocked. */
bool provider_is_told_to_stop(void *context);
/* Borrowed from the provider. */
void provider_parts(const struct provider *provider, struct provider_parts *ret);
void provider_free(struct provider *provider);
void cleanup_provider(struct provider **provider);
