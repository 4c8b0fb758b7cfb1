/* The worker bundle: what a machine with a bare Debian 12 or Ubuntu 24.04 lacks to be a worker, in
 * one archive that it fetches from the control plane. In it: rgrid-worker and rgrid-sandbox-init of
 * this installation, crun and nft of this system, and every library they load but for the C
 * library's own, which is the machine's: bin/NAME, lib/NAME.so.N. It is for /opt/rgrid/current;
 * only crun minds.
 *
 * The same programs make the same bytes, so that the archive's SHA-256, which is its name in the
 * blob store, changes only with them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/hash.h"
#include "setup/server_stamp.h"

struct bundle_options {
	const char *program_directory; /* of rgrid-worker and rgrid-sandbox-init */
	const char *blob_directory;    /* where the API finds it; as root, its owner's rights are
					* taken, so that it can */
};

struct bundle {
	char sha256[SHA256_HEX_BYTES];
	uint64_t bytes;
	unsigned programs, libraries;
};

/* ERR_NOT_FOUND: a program to put in, or one that is needed to do so, is missing (the hint names
 * its package). */
MUST_CHECK int bundle_make(const struct bundle_options *options, struct bundle *ret,
			   struct error *err);
/* Of all that the bundle is made of, which takes a fraction of the time that making it does.
 * ERR_NOT_FOUND as above. */
MUST_CHECK int bundle_inputs(const struct bundle_options *options, struct server_stamp *ret,
			     struct error *err);
/* Whether the blob store has a bundle of that name. */
bool bundle_is_stored(const char *blob_directory, const char *sha256, uint64_t *ret_bytes);
