/* Which of the project's servers this machine is: the one that --server names; else the one that
 * Hetzner's metadata service says; else the only one with the label rgrid-role=control. */
#pragma once

#include "base/error.h"
#include "cloud/hetzner.h"

/* Of the metadata service, for tests; not for users. */
#define OWN_SERVER_METADATA_VARIABLE "RGRID_METADATA_ENDPOINT"

/* name: what --server says, a name or an id; NULL: find out. *ret points into `servers`.
 * ERR_NOT_FOUND lists the candidates. */
MUST_CHECK int own_server_find(const char *name, const struct hetzner_server_list *servers,
			       const struct hetzner_server **ret, struct error *err);
