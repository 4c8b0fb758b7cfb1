/* Every effect that commands.def names, by the resource that has it. */
#pragma once

#include "hcloud/action.h"
