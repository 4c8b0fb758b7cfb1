/* Blobs between this machine and the API, over libcurl in the loop: downloads with the digest
 * computed as bytes arrive, uploads straight from a file.
 *
 * The API may go away and come back: what fails for such a reason is tried again with jittered
 * backoff, for TRANSFER_PATIENCE_MS from its first failure (leases live on through heartbeats). A
 * full blob store is given TRANSFER_FULL_PATIENCE_MS to get room. What cannot get better (unknown
 * blob, refused credential, full local disk) fails at once. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/error.h"
#include "base/hash.h"

#define TRANSFERS_RUNNING_MAX	  16
#define TRANSFER_PATIENCE_MS	  (5ULL * 60 * 1000)
#define TRANSFER_FULL_PATIENCE_MS (30ULL * 1000)
#define TRANSFER_BACKOFF_MIN_MS	  200
#define TRANSFER_BACKOFF_MAX_MS	  5000
#define TRANSFER_CONNECT_MS	  10000L
#define TRANSFER_STALL_S	  30L

struct transfers; /* the engine */
struct transfer;  /* one of them */

/* Runs from the loop, never from within a call here. err is NULL on success. The transfer is gone.
 */
typedef void (*transfer_done_fn)(void *context, const struct error *err);

/* ca_file: who must have signed an https:// server's certificate; NULL: whom the system trusts. */
MUST_CHECK int transfers_new(sd_event *event, const char *api_url, const char *ca_file,
			     struct transfers **ret, struct error *err);
/* No transfer may be left. NULL is fine. */
void transfers_free(struct transfers *transfers);
/* The bearer's text ("rgw_…"), copied. */
void transfers_set_credential(struct transfers *transfers, const char *credential);

/* Writes the blob to fd from offset 0 (fd stays the caller's; truncated before each attempt). */
struct transfer *transfer_download(struct transfers *transfers, const uint8_t blob[SHA256_BYTES],
				   int fd, transfer_done_fn callback, void *context);
/* Sends size_bytes of fd from offset 0 (fd stays the caller's). */
struct transfer *transfer_upload(struct transfers *transfers, const uint8_t blob[SHA256_BYTES],
				 int fd, uint64_t size_bytes, transfer_done_fn callback,
				 void *context);
/* Ends it without its callback. NULL is fine. */
void transfer_cancel(struct transfer *transfer);
