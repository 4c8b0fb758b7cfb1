/* Hetzner Cloud as the configuration describes it: client, private network, prices, and what a new
 * worker's machine is told. Fills the options of the orchestrator that runs on it. */
#pragma once

#include "base/error.h"
#include "conf/conf.h"
#include "orchestrator/orchestrator.h"

struct provider;

/* Reads the grid's id from the database, the token from the environment, the network from the API.
 * ERR_INVALID names the setting that is missing. *ret_options borrows from the provider. */
MUST_CHECK int provider_open(const struct conf *conf, struct provider **ret,
			     struct orchestrator_options *ret_options, struct error *err);
void provider_free(struct provider *provider);
void cleanup_provider(struct provider **provider);
