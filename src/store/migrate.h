/* Brings a database to the schema and functions embedded in this program (sql/). Numbered schema
 * files are run once each and remembered with their SHA-256; function files are run again whenever
 * they have changed. Each step is one transaction under an advisory lock, so that several programs
 * may migrate the same database at once, and a crash leaves whole steps only. There are no
 * downgrades. */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "store/pg.h"

/* Connects as a superuser, or as the owner of the database with the right to create roles. Makes
 * the cluster's roles if absent. ERR_CONFLICT when the database was migrated by a program that
 * knows other schema files than this one. */
MUST_CHECK int migrate_run(const char *conninfo, struct error *err);

/* Whether schema and functions are those of this program. Any role of the grid may ask. */
MUST_CHECK int migrate_check(struct pg *pg, bool *ret_current, struct error *err);
