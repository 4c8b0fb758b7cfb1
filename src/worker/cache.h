/* Blobs that jobs need, kept on this machine's disk under <state>/cache and named by their digest,
 * so that a thousand jobs with one input fetch it once. Those asking for a blob that is already on
 * its way wait for the same transfer. Bounded: the least recently used go first.
 *
 * Nothing here is synced to the disk; a new boot finds the cache emptied (boot_id), so that a file
 * which a power cut left half-written is never trusted. Jobs get copies, never the files
 * themselves. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/error.h"
#include "base/hash.h"
#include "worker/transfer.h"

#define CACHE_BYTES_MAX	  (8ULL << 30)
#define CACHE_ENTRIES_MAX 65536

struct cache;
struct cache_ticket; /* one request */

/* On success fd is a descriptor to read the blob from, the receiver's to close. Runs from the loop,
 * never from within cache_get. */
typedef void (*cache_got_fn)(void *context, int fd, const struct error *err);

MUST_CHECK int cache_open(sd_event *event, const char *directory, uint64_t bytes_max,
			  struct transfers *transfers, struct cache **ret, struct error *err);
/* No request may be left. NULL is fine. */
void cache_free(struct cache *cache);

/* A descriptor at once if the blob is here, or -1. */
int cache_find(struct cache *cache, const uint8_t blob[SHA256_BYTES]);
/* Fetches a blob that cache_find has not. */
struct cache_ticket *cache_get(struct cache *cache, const uint8_t blob[SHA256_BYTES],
			       cache_got_fn callback, void *context);
/* The request's callback will not run. NULL is fine. */
void cache_cancel(struct cache_ticket *ticket);
