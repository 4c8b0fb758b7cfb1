/* What a machine is told about itself: our own copy of what the simulator said, and the documents
 * of the metadata service that follow from it. Pure: no I/O. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "hcloud/machine.h"

#define MACHINE_PRIVATE_NETS_MAX    8  /* the provider allows three */
#define MACHINE_ALIAS_IPS_MAX	    16 /* the provider allows five */
#define IDENTITY_DOCUMENT_BYTES_MAX (256UL << 10)

struct identity {
	int64_t server_id;
	char *name;
	char *location;
	char *network_zone;
	char *public_ipv4; /* NULL: none */
	char *public_ipv6; /* NULL: none */
	char *user_data;
	uint64_t user_data_bytes;
	int64_t image_id;
	char **ssh_keys; /* NULL-terminated */
	uint64_t memory_bytes;
	/* By slot, which is also the order of the interfaces; empty ones have network_id 0. Their
	 * strings are ours. */
	struct machine_private_net private_nets[MACHINE_PRIVATE_NETS_MAX];
	uint64_t boot_delay_ms;
	uint64_t private_net_delay_ms;
	bool boot_fails;
};

/* Copies; ERR_INVALID for what no machine can have. */
MUST_CHECK int identity_new(const struct machine_spec *spec, struct identity **ret,
			    struct error *err);
void identity_free(struct identity *identity); /* NULL is fine */
static inline void cleanup_identity(struct identity **identity)
{
	identity_free(*identity);
}

/* Into the lowest free slot. */
MUST_CHECK int identity_attach(struct identity *identity, const struct machine_private_net *net,
			       uint64_t *ret_slot, struct error *err);
void identity_detach(struct identity *identity, int64_t network_id); /* absent is fine */

/* ERR_NOT_FOUND when it is not in the network. */
MUST_CHECK int identity_set_aliases(struct identity *identity, int64_t network_id,
				    const char *const *alias_ips, struct error *err);
/* Whether the texts are what they are to be, so that they may become words of ip(8)'s lines. */
MUST_CHECK int identity_check_route(const struct machine_route *route, struct error *err);

/* Appends the document at `path` ("/hetzner/v1/metadata"); false if there is none. */
bool identity_document(const struct identity *identity, const char *path, struct buf *out);
