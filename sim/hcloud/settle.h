/* What follows from any change: the ledger is brought up to date, the state is on disk. Called
 * before an answer goes out and after actions have ended. */
#pragma once

#include "hcloud/sim.h"

void settle(struct sim *sim);
