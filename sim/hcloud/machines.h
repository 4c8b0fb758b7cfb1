/* Between servers (documents) and their machines (machine.h). Without a backend, every function
 * does nothing and says so by success: power is a word then. A server knows by "_machine_on" that
 * its machine has been switched on and has not told yet that it is off. */
#pragma once

#include "base/error.h"
#include "hcloud/action.h"
#include "hcloud/sim.h"

/* "none" or "netns"; then machines of servers that run already (from a saved state) are started. */
MUST_CHECK int machines_start(struct sim *sim, const char *backend, const char *root_tree,
			      const char *directory, const char *instance, struct error *err);
void machines_stop(struct sim *sim);
/* What a simulator of this instance that was killed has left; ERR_CONFLICT while one runs. */
MUST_CHECK int machines_clean(const char *directory, const char *instance, struct error *err);

/* One that is still going off comes on again when it is. */
MUST_CHECK int machines_power_on(struct sim *sim, struct project *project, json_t *server,
				 struct problem *problem);
/* Both return false when no machine is on: nothing will be told. With `restarts` it comes on again
 * once it is off. */
bool machines_power_off(struct sim *sim, json_t *server, bool restarts);
bool machines_shut_down(struct sim *sim, json_t *server, bool restarts);
MUST_CHECK int machines_attach(struct sim *sim, struct project *project, const json_t *server,
			       int64_t network_id, struct problem *problem);
void machines_detach(struct sim *sim, const json_t *server, int64_t network_id);
void machines_delete(struct sim *sim, json_t *server);
/* A server of any project, NULL if there is none; with *ret_project unless that is NULL. */
json_t *machines_find(struct sim *sim, int64_t server_id, struct project **ret_project);
/* From all networks (network_id 0, which also undoes what was about one) or from that one. */
MUST_CHECK int machines_partition(struct sim *sim, const json_t *server, int64_t network_id,
				  bool cut, struct error *err);
MUST_CHECK int machines_set_aliases(struct sim *sim, const json_t *server, int64_t network_id,
				    struct problem *problem);
/* Begins to keep the server's disk as that image's. */
MUST_CHECK int machines_snapshot(struct sim *sim, const json_t *server, const json_t *image,
				 struct problem *problem);
/* 0 when it is kept, 1 while it is not yet, -1 when it will not be. */
MUST_CHECK int machines_snapshot_result(struct sim *sim, const json_t *image,
					struct problem *problem);
/* An image or a server is gone, or has another: disks of images that nobody needs any more go. */
void machines_forget_images(struct sim *sim);
/* The network's routes are others than before; `network` may be about to go, with `is_gone`. */
MUST_CHECK int machines_set_routes(struct sim *sim, const json_t *network, bool is_gone,
				   struct problem *problem);
