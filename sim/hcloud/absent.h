/* Resources that official clients ask for and that the simulator has none of: volumes, floating
 * IPs, load balancers, certificates, ISOs. Their lists are empty; nothing can be created. */
#pragma once

#include "hcloud/route.h"

extern const struct route absent_routes[];
