/* config.json of one attempt, as crun reads it (OCI runtime specification 1.0). */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct crun_config {
	const char *root;	  /* the read-only root's path */
	const char *work;	  /* bound to /work */
	const char *seccomp;	  /* base64, see sandbox/syscall_filter.h */
	const char *const *argv;  /* NULL-terminated */
	const char *const *envp;  /* NULL-terminated, without PATH, HOME, LANG, TMPDIR */
	const char *network_path; /* a network namespace to join, or NULL: a new empty one */
	const char *resolv_conf;  /* bound to /etc/resolv.conf, or NULL */
	uint64_t file_bytes_max;  /* of one file */
	uint64_t tmp_bytes_max;	  /* of /tmp and of /dev/shm, which count as the script's memory */
	uid_t id_first;		  /* where the script's ids 0… begin out here */
	uint32_t id_count;	  /* 65536, or 1: then the script's own id alone is mapped */
};

#define CRUN_JOB_ID 65534 /* the script's user and group inside */

/* Writes it to the file. */
MUST_CHECK int crun_config_write(const struct crun_config *config, const char *path,
				 struct error *err);
