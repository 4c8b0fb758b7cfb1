/* What an operator does with direct access to the database and the configuration: the verbs `db`,
 * `key` and `config` of rgridd. Results go to stdout. The database is the one that the
 * configuration names, else that of `rgrid up` in the data directory. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "conf/conf.h"

struct pg;
/* A connection to the database as above; ERR_NOT_FOUND when there is none. */
MUST_CHECK int operator_open_database(const struct conf *conf, struct pg **ret, struct error *err);

MUST_CHECK int operator_db_migrate(const struct conf *conf, struct error *err);
/* ERR_CONFLICT when the database is not as this program needs it. */
MUST_CHECK int operator_db_status(const struct conf *conf, struct error *err);

/* Prints the key, which is shown this once. `scopes` is "read,run,admin" or some of these;
 * lifetime_ms 0: for ever. Makes the project if there is none. */
MUST_CHECK int operator_key_create(const struct conf *conf, const char *project, const char *name,
				   const char *scopes, uint64_t lifetime_ms, struct error *err);
MUST_CHECK int operator_key_list(const struct conf *conf, const char *project, bool json,
				 struct error *err);
MUST_CHECK int operator_key_revoke(const struct conf *conf, const char *project, const char *label,
				   struct error *err);

void operator_config_show(const struct conf *conf, bool json);
/* Loading has checked each value; this looks at what they mean on this machine. */
MUST_CHECK int operator_config_check(const struct conf *conf, struct error *err);
