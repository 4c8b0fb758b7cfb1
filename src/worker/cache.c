#include "worker/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/fs.h"
#include "base/str.h"

#define BUCKETS	     4096
#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"
#define FETCH_PREFIX "fetch-"

/* A blob on the disk. In one bucket, and in the list by use. */
struct entry {
	struct entry *next_in_bucket;
	struct entry *newer;
	struct entry *older;
	uint8_t blob[SHA256_BYTES];
	uint64_t size_bytes;
};

/* A blob on its way, and who waits for it. */
struct fetch {
	struct cache *cache;
	struct fetch *next;
	uint8_t blob[SHA256_BYTES];
	char name[sizeof(FETCH_PREFIX) + SHA256_HEX_BYTES]; /* of the file being written */
	int fd;
	struct transfer *transfer;
	struct cache_ticket *tickets;
};

struct cache_ticket {
	struct fetch *fetch;
	struct cache_ticket *next;
	cache_got_fn callback;
	void *context;
};

struct cache {
	sd_event *event;
	struct transfers *transfers;
	int directory_fd;
	uint64_t bytes_max;
	uint64_t bytes;
	size_t count;
	struct entry *buckets[BUCKETS];
	struct entry *newest;
	struct entry *oldest;
	struct fetch *fetches;
};

static struct entry **bucket_of(struct cache *cache, const uint8_t blob[SHA256_BYTES])
{
	/* The digest's bytes are as good as random. */
	return &cache->buckets[((size_t)blob[0] << 8 | blob[1]) % BUCKETS];
}

static struct entry *entry_find(struct cache *cache, const uint8_t blob[SHA256_BYTES])
{
	struct entry *entry = *bucket_of(cache, blob);

	while (entry && memcmp(entry->blob, blob, SHA256_BYTES) != 0)
		entry = entry->next_in_bucket;
	return entry;
}

static void list_remove(struct cache *cache, struct entry *entry)
{
	*(entry->newer ? &entry->newer->older : &cache->newest) = entry->older;
	*(entry->older ? &entry->older->newer : &cache->oldest) = entry->newer;
}

static void list_push(struct cache *cache, struct entry *entry)
{
	entry->newer = NULL;
	entry->older = cache->newest;
	*(cache->newest ? &cache->newest->newer : &cache->oldest) = entry;
	cache->newest = entry;
}

static void entry_add(struct cache *cache, const uint8_t blob[SHA256_BYTES], uint64_t size_bytes)
{
	struct entry *entry = xcalloc(1, sizeof(*entry));
	struct entry **bucket = bucket_of(cache, blob);

	memcpy(entry->blob, blob, SHA256_BYTES);
	entry->size_bytes = size_bytes;
	entry->next_in_bucket = *bucket;
	*bucket = entry;
	list_push(cache, entry);
	cache->bytes += size_bytes;
	cache->count++;
}

/* Forgets the entry; the file is the caller's affair. */
static void entry_remove(struct cache *cache, struct entry *entry)
{
	struct entry **link = bucket_of(cache, entry->blob);

	while (*link != entry)
		link = &(*link)->next_in_bucket;
	*link = entry->next_in_bucket;
	list_remove(cache, entry);
	cache->bytes -= entry->size_bytes;
	cache->count--;
	free(entry);
}

/* Removes the least recently used until the rest is within the bounds. The newest always stays, be
 * it larger than all. Open descriptors keep their bytes. */
static void evict(struct cache *cache, uint64_t bytes_max)
{
	while (cache->oldest != cache->newest &&
	       (cache->bytes > bytes_max || cache->count > CACHE_ENTRIES_MAX)) {
		char hex[SHA256_HEX_BYTES];

		sha256_to_hex(cache->oldest->blob, hex);
		(void)unlinkat(cache->directory_fd, hex, 0);
		entry_remove(cache, cache->oldest);
	}
}

/* Empties the directory unless it was filled since this machine booted. */
static int forget_other_boots(const char *directory, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf now;
	CLEANUP(cleanup_buf) struct buf then;
	CLEANUP(cleanup_free) char *marker = xasprintf("%s/boot_id", directory);
	struct error absent;

	buf_init(&now, 4096);
	buf_init(&then, 4096);
	if (fs_read(AT_FDCWD, BOOT_ID_PATH, &now, err) < 0)
		return -1;
	if (fs_read(AT_FDCWD, marker, &then, &absent) == 0 && str_eq(now.data, then.data))
		return 0;
	if (fs_remove_all(AT_FDCWD, directory, err) < 0 || fs_mkdir_all(directory, 0700, err) < 0)
		return -1;
	return fs_write_atomic(marker, now.data, now.bytes, 0600, err);
}

static void take_in(struct cache *cache, const char *name)
{
	uint8_t blob[SHA256_BYTES];
	struct stat status;

	if (str_has_prefix(name, FETCH_PREFIX))
		(void)unlinkat(cache->directory_fd, name, 0);
	if (!sha256_from_hex(name, blob) ||
	    fstatat(cache->directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(status.st_mode))
		return;
	entry_add(cache, blob, (uint64_t)status.st_size);
}

static int scan(struct cache *cache, struct error *err)
{
	int fd = fcntl(cache->directory_fd, F_DUPFD_CLOEXEC, 0);
	CLEANUP(cleanup_dir) DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *item;

	if (!directory) {
		cleanup_fd(&fd);
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot read the blob cache");
	}
	while ((item = readdir(directory)) != NULL)
		take_in(cache, item->d_name);
	evict(cache, cache->bytes_max);
	return 0;
}

int cache_open(sd_event *event, const char *directory, uint64_t bytes_max,
	       struct transfers *transfers, struct cache **ret, struct error *err)
{
	struct cache *cache;
	int fd;

	if (fs_mkdir_all(directory, 0700, err) < 0 || forget_other_boots(directory, err) < 0)
		return -1;
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot open %s", directory);
	cache = xcalloc(1, sizeof(*cache));
	cache->event = sd_event_ref(event);
	cache->transfers = transfers;
	cache->directory_fd = fd;
	cache->bytes_max = bytes_max;
	if (scan(cache, err) < 0) {
		cache_free(cache);
		return -1;
	}
	*ret = cache;
	return 0;
}

void cache_free(struct cache *cache)
{
	if (!cache)
		return;
	CHECK(cache->fetches == NULL);
	while (cache->newest)
		entry_remove(cache, cache->newest);
	(void)close(cache->directory_fd);
	sd_event_unref(cache->event);
	free(cache);
}

int cache_find(struct cache *cache, const uint8_t blob[SHA256_BYTES])
{
	struct entry *entry = entry_find(cache, blob);
	char hex[SHA256_HEX_BYTES];
	int fd;

	if (!entry)
		return -1;
	sha256_to_hex(blob, hex);
	fd = openat(cache->directory_fd, hex, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		entry_remove(cache, entry);
		return -1;
	}
	list_remove(cache, entry);
	list_push(cache, entry);
	return fd;
}

/* Frees the fetch, its transfer being over or cancelled, and the half-written file. */
static void fetch_free(struct fetch *fetch)
{
	struct fetch **link = &fetch->cache->fetches;

	while (*link != fetch)
		link = &(*link)->next;
	*link = fetch->next;
	(void)unlinkat(fetch->cache->directory_fd, fetch->name, 0);
	cleanup_fd(&fetch->fd);
	free(fetch);
}

static int fetch_keep(struct fetch *fetch, struct error *err)
{
	struct cache *cache = fetch->cache;
	char hex[SHA256_HEX_BYTES];
	struct stat status;

	sha256_to_hex(fetch->blob, hex);
	if (fstat(fetch->fd, &status) < 0 ||
	    renameat(cache->directory_fd, fetch->name, cache->directory_fd, hex) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot keep blob %.12s", hex);
	entry_add(cache, fetch->blob, (uint64_t)status.st_size);
	evict(cache, cache->bytes_max);
	return 0;
}

static void on_fetched(void *context, const struct error *failure)
{
	struct fetch *fetch = context;
	struct cache *cache = fetch->cache;
	struct cache_ticket *ticket;
	struct error err;

	fetch->transfer = NULL;
	if (!failure && fetch_keep(fetch, &err) < 0)
		failure = &err;
	else if (failure && failure->code == ERR_NO_SPACE)
		evict(cache, 0);
	/* One by one off the list, for a callback may cancel others of this fetch. */
	while ((ticket = fetch->tickets) != NULL) {
		int fd = failure ? -1 : cache_find(cache, fetch->blob);

		fetch->tickets = ticket->next;
		if (!failure && fd < 0) {
			(void)error_set(&err, ERR_INTERNAL, "cannot read the blob cache");
			failure = &err;
		}
		ticket->callback(ticket->context, fd, failure);
		free(ticket);
	}
	fetch_free(fetch);
}

static struct fetch *fetch_find(struct cache *cache, const uint8_t blob[SHA256_BYTES])
{
	struct fetch *fetch = cache->fetches;

	while (fetch && memcmp(fetch->blob, blob, SHA256_BYTES) != 0)
		fetch = fetch->next;
	return fetch;
}

static struct fetch *fetch_new(struct cache *cache, const uint8_t blob[SHA256_BYTES])
{
	struct fetch *fetch = xcalloc(1, sizeof(*fetch));
	char hex[SHA256_HEX_BYTES];

	fetch->cache = cache;
	memcpy(fetch->blob, blob, SHA256_BYTES);
	sha256_to_hex(blob, hex);
	(void)snprintf(fetch->name, sizeof(fetch->name), FETCH_PREFIX "%s", hex);
	/* A failure shows as a bad descriptor in the transfer, whose error names it. */
	fetch->fd = openat(cache->directory_fd, fetch->name,
			   O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	fetch->next = cache->fetches;
	cache->fetches = fetch;
	fetch->transfer = transfer_download(cache->transfers, blob, fetch->fd, on_fetched, fetch);
	return fetch;
}

struct cache_ticket *cache_get(struct cache *cache, const uint8_t blob[SHA256_BYTES],
			       cache_got_fn callback, void *context)
{
	struct cache_ticket *ticket = xcalloc(1, sizeof(*ticket));
	struct fetch *fetch = fetch_find(cache, blob);

	if (!fetch)
		fetch = fetch_new(cache, blob);
	ticket->fetch = fetch;
	ticket->callback = callback;
	ticket->context = context;
	ticket->next = fetch->tickets;
	fetch->tickets = ticket;
	return ticket;
}

void cache_cancel(struct cache_ticket *ticket)
{
	struct cache_ticket **link;
	struct fetch *fetch;

	if (!ticket)
		return;
	fetch = ticket->fetch;
	link = &fetch->tickets;
	while (*link != ticket)
		link = &(*link)->next;
	*link = ticket->next;
	free(ticket);
	/* Nobody waits any more; a fetch that is just being answered frees itself. */
	if (!fetch->tickets && fetch->transfer) {
		transfer_cancel(fetch->transfer);
		fetch_free(fetch);
	}
}
