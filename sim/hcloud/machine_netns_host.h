/* One machine's life: off → starting → running → dying → off. While it is not off it owns a network
 * namespace and a cgroup of its name, cables to the router, and a metadata service.
 *
 * Off is only what has nothing left: no process, so that no mount holds its disk, and no
 * namespace, so that the next start finds its names free. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/error.h"
#include "hcloud/machine.h"
#include "hcloud/machine_netns_identity.h"
#include "hcloud/machine_netns_router.h"

struct host;
struct images;

struct host_options {
	sd_event *event;
	struct router *router;
	const char *name;      /* "hcs-INSTANCE-ID" */
	const char *directory; /* the machine's own */
	const struct images *images;
	/* MACHINE_STOPPED comes when it is off, and may then free the host. */
	void (*on_event)(void *context, int64_t server_id, enum machine_event event);
	void *context;
	int64_t server_id;
};

struct host *host_new(const struct host_options *options);
/* Kills and waits if it is not off. Its disk stays. NULL is fine. */
void host_free(struct host *host);

bool host_is_off(const struct host *host);
bool host_is_dying(const struct host *host);
/* Of one that is off; takes the identity if it succeeds. */
MUST_CHECK int host_start(struct host *host, struct identity *identity, struct error *err);
/* Both are ignored unless it is starting or running. */
void host_kill(struct host *host);
void host_shut_down(struct host *host);
/* Ignored when it is off or dying: the next start brings its networks along. */
MUST_CHECK int host_attach(struct host *host, const struct machine_private_net *net,
			   struct error *err);
void host_detach(struct host *host, int64_t network_id);
/* Ignored as host_attach is. */
MUST_CHECK int host_set_aliases(struct host *host, int64_t network_id, const char *const *alias_ips,
				struct error *err);
/* The network has other routes than before, and its gateway may be this. */
MUST_CHECK int host_refresh_routes(struct host *host, int64_t network_id, struct error *err);
/* As machine_partition. */
MUST_CHECK int host_partition(struct host *host, int64_t network_id, bool cut, struct error *err);
/* Removes what it has written. Of one that is off. */
MUST_CHECK int host_erase(struct host *host, struct error *err);
