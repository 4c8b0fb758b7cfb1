/* The nftables table that confines networked jobs, as text. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Workers' ends of veth pairs: this, the identity, the slot. */
#define NETWORK_INTERFACE_PREFIX "rgj"
#define NETWORK_ROUTER_PREFIX    "rgrid_router_"

/* router: the table also keeps the host from forwarding what is not of jobs, because forwarding was
 * off before. To be freed. */
char *network_table_name(const char *identity, bool router);
char *network_rules(const char *identity, bool router);
/* Whether the output of `nft list tables` has that table. */
bool network_table_is_listed(const char *tables, const char *name);
/* Whether jobs cannot reach that IPv4 address (host byte order), wherever they are. */
bool network_is_blocked(uint32_t address);
