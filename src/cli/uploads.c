#include "cli/uploads.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/str.h"
#include "core/limits.h"

#define PROGRESS_EVERY_MS 200
#define FORMAT_BYTES	  32

void uploads_release(struct uploads *uploads)
{
	free(uploads->items);
	*uploads = (struct uploads){0};
}

static struct upload *append(struct uploads *uploads)
{
	if (uploads->count == uploads->capacity) {
		uploads->capacity = uploads->capacity ? uploads->capacity * 2 : 64;
		uploads->items =
			xreallocarray(uploads->items, uploads->capacity, sizeof(uploads->items[0]));
	}
	return &uploads->items[uploads->count++];
}

void uploads_add_file(struct uploads *uploads, const uint8_t sha256[SHA256_BYTES],
		      uint64_t size_bytes, const char *source)
{
	struct upload *upload = append(uploads);

	*upload = (struct upload){.size_bytes = size_bytes, .source = source, .fd = -1};
	memcpy(upload->sha256, sha256, SHA256_BYTES);
}

void uploads_add_fd(struct uploads *uploads, const uint8_t sha256[SHA256_BYTES],
		    uint64_t size_bytes, int fd)
{
	struct upload *upload = append(uploads);

	*upload = (struct upload){.size_bytes = size_bytes, .fd = fd};
	memcpy(upload->sha256, sha256, SHA256_BYTES);
}

static int compare(const void *a, const void *b)
{
	const struct upload *first = a;
	const struct upload *second = b;

	return memcmp(first->sha256, second->sha256, SHA256_BYTES);
}

static void sort_unique(struct uploads *uploads)
{
	size_t kept = 0;

	if (uploads->count == 0)
		return;
	qsort(uploads->items, uploads->count, sizeof(uploads->items[0]), compare);
	for (size_t i = 0; i < uploads->count; i++) {
		if (kept == 0 || compare(&uploads->items[kept - 1], &uploads->items[i]) != 0)
			uploads->items[kept++] = uploads->items[i];
	}
	uploads->count = kept;
}

/* Which of items [first, first + count) the server lacks; a new array of digests in hex. */
static int check(const struct uploads *uploads, size_t first, size_t count, struct api_client *api,
		 json_t **ret, struct error *err)
{
	CLEANUP(cleanup_json) json_t *body = NULL;
	CLEANUP(cleanup_json) json_t *answer = NULL;
	json_t *blobs = json_array();

	for (size_t i = first; i < first + count; i++) {
		char hex[SHA256_HEX_BYTES];

		sha256_to_hex(uploads->items[i].sha256, hex);
		json_array_append_new(blobs, json_string(hex));
	}
	body = json_pack("{s:o}", "blobs", blobs);
	if (api_post(api, "/api/v1/blobs/check", body, API_REPEAT_SAFE, &answer, err) != 0)
		return -1;
	*ret = json_incref(json_object_get(answer, "missing"));
	if (!json_is_array(*ret))
		return error_set(err, ERR_UNAVAILABLE, "the server's list of blobs is garbled");
	return 0;
}

static int send_one(const struct upload *upload, const char *hex, struct api_client *api,
		    struct error *err)
{
	CLEANUP(cleanup_fd) int opened = -1;
	CLEANUP(cleanup_http_response) struct http_response response = {0};
	CLEANUP(cleanup_free) char *path = xasprintf("/api/v1/blobs/%s", hex);
	struct api_request request = {
		.method = "PUT",
		.path = path,
		.body_from_fd = true,
		.body_fd = upload->fd,
		.body_bytes = upload->size_bytes,
		.no_timeout = true,
	};
	const char *name = upload->source ? upload->source : "standard input";

	if (upload->source) {
		opened = open(upload->source, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (opened < 0)
			return error_set_errno(err, ERR_INVALID, errno, "cannot read %s", name);
		request.body_fd = opened;
	}
	if (api_perform(api, &request, &response, err) != 0) {
		bool refused = err->code == ERR_INVALID || err->code == ERR_UNPROCESSABLE;

		error_wrap(err, "cannot upload %s", name);
		return refused && !err->hint[0] ? error_hint(err, "did it change meanwhile?") : -1;
	}
	return 0;
}

struct upload_progress {
	struct terminal *terminal;
	uint64_t shown_ms;
	size_t sent;
	uint64_t sent_bytes;
};

static void show(struct upload_progress *progress)
{
	uint64_t now_ms = clock_boottime_ms();
	char text[128], bytes[FORMAT_BYTES];

	if (now_ms - progress->shown_ms < PROGRESS_EVERY_MS)
		return;
	progress->shown_ms = now_ms;
	(void)snprintf(text, sizeof(text), "uploading: %zu files, %s", progress->sent,
		       format_bytes(progress->sent_bytes, bytes, sizeof(bytes)));
	terminal_line(progress->terminal, text);
}

static const struct upload *find(const struct uploads *uploads, const char *hex)
{
	struct upload key = {0};

	if (!hex || !sha256_from_hex(hex, key.sha256))
		return NULL;
	return bsearch(&key, uploads->items, uploads->count, sizeof(key), compare);
}

int uploads_send(struct uploads *uploads, struct api_client *api, struct terminal *terminal,
		 struct error *err)
{
	struct upload_progress progress = {.terminal = terminal, .shown_ms = clock_boottime_ms()};

	sort_unique(uploads);
	for (size_t first = 0; first < uploads->count; first += LIMIT_BLOB_CHECK_COUNT) {
		CLEANUP(cleanup_json) json_t *missing = NULL;
		size_t count = uploads->count - first;
		size_t index;
		json_t *digest;

		if (count > LIMIT_BLOB_CHECK_COUNT)
			count = LIMIT_BLOB_CHECK_COUNT;
		if (check(uploads, first, count, api, &missing, err) != 0)
			return -1;
		json_array_foreach (missing, index, digest) {
			const char *hex = json_string_value(digest);
			const struct upload *upload = find(uploads, hex);

			/* Only what we offered is sent, whatever the server asks for. */
			if (!upload)
				continue;
			show(&progress);
			if (send_one(upload, hex, api, err) != 0)
				return -1;
			progress.sent++;
			progress.sent_bytes += upload->size_bytes;
		}
	}
	terminal_line_clear(terminal);
	return 0;
}
