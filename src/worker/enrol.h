/* How a machine comes to a login that nobody else knows. It is started with a login that stands in
 * its user data; on first contact the password is replaced by a random one, which is kept in <state
 * directory>/login (0600), so that later starts go on under it. The file is written before the
 * database is asked: whichever of the two an answer is lost between, a next start finds out. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct enrol_options {
	const char *state_directory;
	/* The first login, in libpq's form; NULL when only the machine's own is left. */
	const char *conninfo;
	uint64_t patience_ms; /* while the database is not reachable */
	uint64_t refused_ms;  /* while it is, but lets nobody in from here with that login */
};

/* *ret_conninfo, to be freed, is under the machine's own login.
 * ERR_UNAUTHENTICATED, ERR_FORBIDDEN: the login is dead, for good. ERR_INVALID: the other side is
 * not the grid's database, or there is no login at all. ERR_UNAVAILABLE: not reached in time. */
MUST_CHECK int enrol(const struct enrol_options *options, char **ret_conninfo, struct error *err);
