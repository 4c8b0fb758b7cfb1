#include "api/content.h"

#include <string.h>

#include "api/range.h"
#include "api/server.h"
#include "base/check.h"
#include "base/encode.h"
#include "base/fs.h"
#include "base/str.h"

#define ETAG_BYTES (SHA256_HEX_BYTES + 2)

/* Whether `etag` is among those of an If-None-Match header; weak comparison. */
static bool matches_etag(const char *header, const char *etag)
{
	if (header == NULL)
		return false;
	if (str_eq(header, "*"))
		return true;
	for (const char *at = strstr(header, etag); at != NULL; at = strstr(at + 1, etag)) {
		char after = at[strlen(etag)];

		if (after == '\0' || after == ',' || after == ' ')
			return true;
	}
	return false;
}

static void add_file_name(struct reply *reply, const char *file_name)
{
	CLEANUP(cleanup_buf) struct buf value = {0};

	if (file_name == NULL)
		return;
	buf_init(&value, 4 * FS_NAME_BYTES_MAX);
	buf_append_str(&value, "attachment; filename*=UTF-8''");
	url_encode(&value, file_name, false);
	if (!value.overflowed)
		reply_header(reply, MHD_HTTP_HEADER_CONTENT_DISPOSITION, value.data);
}

/* Takes over fd. */
static struct MHD_Response *file_response(int fd, const struct byte_range *part)
{
	CLEANUP(cleanup_fd) int owned = fd;

	if (part->bytes == 0)
		return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
	struct MHD_Response *response =
		MHD_create_response_from_fd_at_offset64(part->bytes, fd, part->first);
	CHECK(response != NULL);
	(void)TAKE_FD(owned);
	return response;
}

static int not_satisfiable(uint64_t bytes, struct reply *reply, struct error *err)
{
	char value[64];

	(void)snprintf(value, sizeof(value), "bytes */%llu", (unsigned long long)bytes);
	reply_header(reply, MHD_HTTP_HEADER_CONTENT_RANGE, value);
	return error_set(err, ERR_RANGE, "the range lies outside of the %llu bytes there are",
			 (unsigned long long)bytes);
}

int content_reply(const struct request *request, const uint8_t blob[SHA256_BYTES],
		  const char *file_name, struct reply *reply, struct error *err)
{
	CLEANUP(cleanup_fd) int fd = -1;
	char hex[SHA256_HEX_BYTES];
	char etag[ETAG_BYTES];
	char value[96];
	uint64_t bytes;
	unsigned status = MHD_HTTP_OK;

	sha256_to_hex(blob, hex);
	(void)snprintf(etag, sizeof(etag), "\"%s\"", hex);
	if (blob_open(request->server->blobs, blob, &fd, &bytes, err) < 0)
		return -1;
	if (matches_etag(request_header(request, MHD_HTTP_HEADER_IF_NONE_MATCH), etag)) {
		reply_header(reply, MHD_HTTP_HEADER_ETAG, etag);
		reply->status = MHD_HTTP_NOT_MODIFIED;
		return 0;
	}
	struct byte_range part = {.first = 0, .bytes = bytes};
	const char *condition = request_header(request, MHD_HTTP_HEADER_IF_RANGE);
	const char *range = request_header(request, MHD_HTTP_HEADER_RANGE);
	switch (range_parse(condition == NULL || str_eq(condition, etag) ? range : NULL, bytes,
			    &part)) {
	case RANGE_WHOLE:
		break;
	case RANGE_PART:
		status = MHD_HTTP_PARTIAL_CONTENT;
		(void)snprintf(value, sizeof(value), "bytes %llu-%llu/%llu",
			       (unsigned long long)part.first,
			       (unsigned long long)(part.first + part.bytes - 1),
			       (unsigned long long)bytes);
		reply_header(reply, MHD_HTTP_HEADER_CONTENT_RANGE, value);
		break;
	case RANGE_NOT_SATISFIABLE:
		return not_satisfiable(bytes, reply, err);
	}
	reply_header(reply, MHD_HTTP_HEADER_ETAG, etag);
	reply_header(reply, MHD_HTTP_HEADER_ACCEPT_RANGES, "bytes");
	reply_header(reply, MHD_HTTP_HEADER_CONTENT_TYPE, "application/octet-stream");
	/* The bytes of a blob never change; who may see them can. */
	reply_header(reply, MHD_HTTP_HEADER_CACHE_CONTROL, "private, no-cache");
	add_file_name(reply, file_name);
	return reply_response(reply, status, file_response(TAKE_FD(fd), &part));
}
