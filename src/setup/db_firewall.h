/* The firewall's table of an exposed database: its file, the unit that loads it at boot, and what
 * the kernel has. */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "setup/db_exposure.h"

#define DB_FIREWALL_RULES_PATH "/etc/nftables.d/rgrid-db.nft"
#define DB_FIREWALL_UNIT_PATH  "/etc/systemd/system/rgrid-db-firewall.service"

struct firewall_state {
	bool file_good;	  /* rules, unit and its links are as they should be */
	bool kernel_good; /* and so is the table in force */
	bool kernel_has;  /* some table of that name */
	bool file_has;	  /* some file of ours */
};
MUST_CHECK int db_firewall_look(const struct db_exposure *exposure, struct firewall_state *ret,
				struct error *err);
/* Loads the table in one transaction, and has it loaded at every boot. */
MUST_CHECK int db_firewall_apply(const struct db_exposure *exposure, struct error *err);
MUST_CHECK int db_firewall_remove(struct error *err);
