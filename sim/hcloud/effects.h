/* Every effect that commands.def names, by the resource that has it. */
#pragma once

#include "hcloud/action.h"
#include "hcloud/firewall.h"
#include "hcloud/primary_ip.h"
#include "hcloud/protection.h"
