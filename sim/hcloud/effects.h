/* Every effect that commands.def names, by the resource that has it. */
#pragma once

#include "hcloud/action.h"
#include "hcloud/firewall.h"
#include "hcloud/network_actions.h"
#include "hcloud/primary_ip.h"
#include "hcloud/protection.h"
#include "hcloud/server.h"
#include "hcloud/server_create.h"
#include "hcloud/server_disk.h"
#include "hcloud/server_misc.h"
#include "hcloud/server_network.h"
#include "hcloud/server_power.h"
