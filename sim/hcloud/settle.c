#include "hcloud/settle.h"

#include "hcloud/billing.h"
#include "hcloud/state_file.h"

void settle(struct sim *sim)
{
	billing_update(sim);
	state_file_save(sim);
}
