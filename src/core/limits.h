/* Every maximum of the system, in one place. A limit that users can meet is named in docs/api.md.
 */
#pragma once

#include <stdint.h>

#define KIB (1024ULL)
#define MIB (1024ULL * KIB)
#define GIB (1024ULL * MIB)

/* A job's specification */
#define LIMIT_NAME_BYTES	  128
#define LIMIT_ARGS_COUNT	  4096
#define LIMIT_ARGS_BYTES	  (128 * KIB) /* all arguments together; well under ARG_MAX */
#define LIMIT_ENV_COUNT		  256
#define LIMIT_ENV_KEY_BYTES	  256
#define LIMIT_ENV_VALUE_BYTES	  (32 * KIB)
#define LIMIT_FILES_COUNT	  4096
#define LIMIT_LABELS_COUNT	  32
#define LIMIT_LABEL_BYTES	  128 /* key and value each */
#define LIMIT_INLINE_SCRIPT_BYTES (256 * KIB)
#define LIMIT_RETRIES		  100
#define LIMIT_SPEC_BYTES	  (1 * MIB) /* canonical JSON of one job */

/* Resources of a job: [minimum, maximum], default */
#define LIMIT_CPU_MILLIS_MIN   10
#define LIMIT_CPU_MILLIS_MAX   256000
#define DEFAULT_CPU_MILLIS     1000
#define LIMIT_MEMORY_BYTES_MIN (16 * MIB)
#define LIMIT_MEMORY_BYTES_MAX (4096 * GIB)
#define DEFAULT_MEMORY_BYTES   (512 * MIB)
#define LIMIT_TIMEOUT_MS_MIN   100
#define LIMIT_TIMEOUT_MS_MAX   (30ULL * 24 * 3600 * 1000)
#define DEFAULT_TIMEOUT_MS     (3600ULL * 1000)
#define LIMIT_PIDS_MIN	       1
#define LIMIT_PIDS_MAX	       32768
#define DEFAULT_PIDS	       256
#define LIMIT_DISK_BYTES_MIN   (1 * MIB)
#define LIMIT_DISK_BYTES_MAX   (1024 * GIB)
#define DEFAULT_DISK_BYTES     (2 * GIB)

/* Requests */
#define LIMIT_BODY_BYTES	    (32 * MIB) /* JSON body of any request */
#define LIMIT_BULK_JOBS		    10000      /* jobs in one submission */
#define LIMIT_PARALLEL		    100000     /* a batch's parallel limit */
#define LIMIT_PAGE		    1000       /* items of one page; default 100 */
#define DEFAULT_PAGE		    100
#define LIMIT_BLOB_BYTES	    (16 * GIB)
#define LIMIT_BLOB_CHECK_COUNT	    10000
#define LIMIT_IDEMPOTENCY_KEY_BYTES 255
#define LIMIT_PAUSE_REASON_BYTES    500	      /* why provisioning is paused */
#define LIMIT_BODY_VALUES	    2000000   /* JSON values in one body, roughly */
#define LIMIT_URL_BYTES		    (8 * KIB) /* path and query */
#define LIMIT_QUERY_PARAMS	    32
#define LIMIT_TAIL_LINES	    1000000 /* of a log */
#define LIMIT_CONNECTIONS	    2048    /* to the API, all clients together */
#define LIMIT_FOLLOWERS		    512	    /* event streams */
#define LIMIT_SUBMISSIONS	    4096    /* single jobs on their way into the database */

/* Money, in micro-euros: a limit beyond a million euros is a slip of the finger */
#define LIMIT_MONEY_MICROS  (1000000ULL * 1000000)
#define LIMIT_ESTIMATE_JOBS 1000000000ULL

/* What comes out of a job */
#define LIMIT_ARTIFACTS_COUNT 10000
#define LIMIT_ARTIFACTS_DEPTH 64
#define LIMIT_LOG_BYTES	      (1 * GIB) /* stdout and stderr together, per attempt */
#define LIMIT_LOG_CHUNK_BYTES (64 * KIB)
#define LIMIT_MESSAGE_BYTES   500 /* an attempt's explanation */

/* Workers */
#define LIMIT_SLOTS	 1024
#define LIMIT_STEP_COUNT 1000 /* completions, or claims, in one step */
#define LIMIT_PREFETCH	 256
#define LIMIT_WORKERS	 64 /* local workers of one `up` */
#define HEARTBEAT_MS	 5000
#define LEASE_TTL_MS	 30000
/* A worker that has not reached the database for this long kills its jobs: before the TTL. */
#define SELF_FENCE_MS 22000
_Static_assert(SELF_FENCE_MS + HEARTBEAT_MS < LEASE_TTL_MS,
	       "a worker fences itself before its lease ends");

#define LOST_BUDGET_DEFAULT 3 /* attempts lost with their worker before the job fails */
