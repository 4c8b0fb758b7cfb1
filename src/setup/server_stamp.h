/* What a daemon was started with, or a bundle made of, so that a later run of `rgrid server setup`
 * can tell whether that must be done anew, whoever changed a file since, and whether or not that
 * run lived to its end.
 *
 * A stamp is a digest of files. It is written after what it is for is done: dying in between costs
 * no more than doing it again. Stamps are kept where a boot, which starts all daemons, removes
 * them, and where only root writes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/hash.h"

#define SERVER_STAMP_DIR "/run/rgrid-setup"

struct server_stamp {
	char hex[SHA256_HEX_BYTES];
};

/* Of the text and of the files as they are now; one that is absent counts as that. */
MUST_CHECK int server_stamp_make(const char *text, const char *const *paths, size_t count,
				 struct server_stamp *ret, struct error *err);
/* Whether it is the one that is kept under the name: a unit's, for one. */
bool server_stamp_is_kept(const char *name, const struct server_stamp *stamp);
MUST_CHECK int server_stamp_keep(const char *name, const struct server_stamp *stamp,
				 struct error *err);
