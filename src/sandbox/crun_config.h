/* The OCI configuration (config.json) by which crun runs one job. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"
#include "sandbox/id_map.h"

#define CRUN_CONFIG_BYTES_MAX (16U << 20) /* the spec's arguments and environment, with room */

struct crun_config {
	const char *const *argv;
	const char *const *envp;     /* PATH, HOME, LANG and TMPDIR are added where absent */
	const char *root;            /* directory */
	const char *work;            /* directory, to be /work */
	const char *seccomp_base64;  /* the BPF program */
	const struct slot_ids *ids;
	pid_t namespaces_of;         /* the job's init: its user and pid namespaces are joined */
	const char *network;         /* path of a network namespace; NULL: an empty new one */
	const char *resolv_conf;     /* file to show as /etc/resolv.conf, or NULL */
	uint64_t memory_bytes;       /* /tmp and /dev/shm take at most half each */
	uint64_t files_max;          /* the hard limit of open files, which we may not raise */
};

MUST_CHECK int crun_config_write(const struct crun_config *config, struct buf *json,
				 struct error *err);
