/* The grid's own certificate authority and the server certificates under it: what PostgreSQL and
 * the API's listener show to workers, who know the CA from their user_data.
 *
 *	<directory>/ca.crt   0644, given to workers
 *	<directory>/ca.key   0600, never leaves this machine
 *
 * Keys are EC P-256. A server's certificate and its key are in one PEM file, so that the pair is
 * replaced by one rename: a server that starts between two files of different pairs would fail. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

#define PKI_DIRECTORY_DEFAULT "/etc/rgrid/pki"
#define PKI_CA_DAYS	      3650
#define PKI_SERVER_DAYS	      365
/* pki_server_ensure replaces a certificate that has less than this left; doctor warns. */
#define PKI_RENEW_DAYS 30

/* Subject alternative names: who connects to another name or address is refused. */
struct pki_names {
	const char *const *ips; /* "10.0.1.2", "::1" */
	size_t ip_count;
	const char *const *dns;
	size_t dns_count;
};

/* What is wrong with a server's file, the gravest first. */
enum pki_state {
	PKI_GOOD = 1,
	PKI_ABSENT,
	PKI_BROKEN,	/* not a certificate and its key */
	PKI_OTHER_CA,	/* not signed by ours */
	PKI_EXPIRED,	/* or not valid yet */
	PKI_WRONG_NAME, /* one of the names is missing */
	PKI_EXPIRING,	/* within PKI_RENEW_DAYS */
};
const char *pki_state_text(enum pki_state state); /* "is not signed by our CA" */

/* "<directory>/ca.crt", to be freed. */
char *pki_ca_path(const char *directory);
/* Makes the directory and the CA if there is none, and never replaces its key. ERR_CONFLICT when
 * certificate and key do not belong together. *ret_made may be NULL. */
MUST_CHECK int pki_ca_ensure(const char *directory, bool *ret_made, struct error *err);

/* Looks at a server's file; *ret_expires_wall_us (may be NULL) is 0 where there is no certificate.
 * An error only when the CA or the file cannot be read. */
MUST_CHECK int pki_server_check(const char *directory, const char *path,
				const struct pki_names *names, enum pki_state *ret,
				int64_t *ret_expires_wall_us, struct error *err);
/* Issues a new certificate with a new key into `path` (0600, of that user), in one rename. */
MUST_CHECK int pki_server_issue(const char *directory, const char *path,
				const struct pki_names *names, uid_t uid, gid_t gid,
				struct error *err);
/* Issues only if what is there is not PKI_GOOD; sets owner and mode either way. The CA must exist.
 * *ret_issued may be NULL. */
MUST_CHECK int pki_server_ensure(const char *directory, const char *path,
				 const struct pki_names *names, uid_t uid, gid_t gid,
				 bool *ret_issued, struct error *err);
/* When the first certificate of a file ends. */
MUST_CHECK int pki_expiry(const char *path, int64_t *ret_wall_us, struct error *err);
