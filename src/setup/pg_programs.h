/* PostgreSQL's server programs on this machine, and the user they may run as: never root. */
#pragma once

#include <sys/types.h>

#include "base/error.h"

#define PG_MAJOR_MIN 15

struct pg_programs {
	char *initdb;
	char *postgres;
	unsigned major;
	uid_t uid; /* 0: ours, which is not root's */
	gid_t gid;
};

/* `directory` names where they are, or is "" to look in the usual places (Debian's
 * /usr/lib/postgresql/<major>/bin, then PATH). `major` 0 takes the newest, else only that one fits:
 * a cluster can only be run by the major version that made it. ERR_NOT_FOUND names the package. */
MUST_CHECK int pg_programs_find(const char *directory, unsigned major, struct pg_programs *ret,
				struct error *err);
void pg_programs_release(struct pg_programs *programs);
#define cleanup_pg_programs pg_programs_release
