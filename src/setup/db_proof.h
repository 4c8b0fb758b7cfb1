/* What can be seen of an exposed database from its own machine: who listens, and what a client that
 * trusts only our CA finds there. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "core/ipv4.h"

struct listening {
	bool on_ip;	  /* on the address that is meant */
	bool on_loopback; /* 127.0.0.0/8 or ::1 */
	bool elsewhere;
	char other[64]; /* one of the others, as text */
};
/* All sockets of this network namespace that listen on the TCP port. */
MUST_CHECK int db_listening(const char *ip, uint64_t port, struct listening *ret,
			    struct error *err);
/* Does a TLS handshake with PostgreSQL at the address as workers do (verify-full); no login. */
MUST_CHECK int db_proof_tls(const char *ip, uint64_t port, const char *ca_path, struct error *err);
/* That a login without TLS is refused. */
MUST_CHECK int db_proof_plain_refused(const char *ip, uint64_t port, const char *database,
				      struct error *err);
/* Whether an interface of this machine has the address. */
bool db_has_address(const char *ip);
/* A public address of this machine: of several the first. */
bool db_public_address(char out[IPV4_BYTES]);
