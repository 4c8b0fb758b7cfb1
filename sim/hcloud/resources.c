#include "hcloud/resources.h"

#include "base/cleanup.h"
#include "hcloud/action.h"
#include "hcloud/absent.h"
#include "hcloud/action_routes.h"
#include "hcloud/catalog.h"
#include "hcloud/firewall.h"
#include "hcloud/image.h"
#include "hcloud/network.h"
#include "hcloud/network_actions.h"
#include "hcloud/placement_group.h"
#include "hcloud/pricing.h"
#include "hcloud/primary_ip.h"
#include "hcloud/server.h"
#include "hcloud/server_disk.h"
#include "hcloud/server_metrics.h"
#include "hcloud/server_misc.h"
#include "hcloud/server_network.h"
#include "hcloud/server_power.h"
#include "hcloud/ssh_key.h"

static const struct route *const tables[] = {
	absent_routes,	    action_routes,	   catalog_routes,	firewall_routes,
	image_routes,	    network_action_routes, network_routes,	placement_group_routes,
	pricing_routes,	    primary_ip_routes,	   server_disk_routes,	server_metrics_routes,
	server_misc_routes, server_network_routes, server_power_routes, server_routes,
	ssh_key_routes,
};

/* Kinds whose view is more than doc_public. */
static json_t *(*const views[KIND_MAX])(struct sim *sim, struct project *project,
					const json_t *doc) = {
	[KIND_ACTION] = action_view,	       [KIND_FIREWALL] = firewall_view,
	[KIND_NETWORK] = network_view,	       [KIND_PLACEMENT_GROUP] = placement_group_view,
	[KIND_PRIMARY_IP] = primary_ip_view,   [KIND_SERVER] = server_view,
	[KIND_SERVER_TYPE] = server_type_view,
};

const struct route *resource_routes(size_t index)
{
	return index < ARRAY_SIZE(tables) ? tables[index] : NULL;
}

json_t *resource_view(struct sim *sim, struct project *project, enum kind kind, const json_t *doc)
{
	return views[kind] ? views[kind](sim, project, doc) : doc_public(doc);
}
