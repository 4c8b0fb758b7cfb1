/* One look at the project: its servers, its networks, and among them those that matter here. */
#pragma once

#include "base/error.h"
#include "cloud/hetzner.h"
#include "core/network_plan.h"

struct network_look {
	struct hetzner_server_list servers;
	struct hetzner_network_list networks;
	const struct hetzner_network *network; /* of the wished name; NULL: none */
};

MUST_CHECK int network_look_take(struct hetzner *hetzner, const char *network_name,
				 struct network_look *ret, struct error *err);
void network_look_release(struct network_look *look);
#define cleanup_network_look network_look_release

/* The address of a server in a network; "" when it is not attached. */
const char *network_look_address(const struct hetzner_server *server, int64_t network_id);
/* Whether it carries our label. */
bool network_look_is_ours(const struct hetzner_labels *labels);
/* What the decision needs, from the view of the server `self`. Strings belong to the look. */
void network_look_see(const struct network_look *look, const struct hetzner_server *self,
		      const struct network_wish *wish, struct network_seen *ret);
