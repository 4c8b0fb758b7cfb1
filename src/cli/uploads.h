/* Blobs on their way to the server: collected with their sources, asked about in bulk, and only
 * those that the server lacks are sent, each once however many jobs use it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "cli/api_client.h"
#include "cli/terminal.h"

struct upload {
	uint8_t sha256[SHA256_BYTES];
	uint64_t size_bytes;
	const char *source; /* a file's path, borrowed; NULL: fd */
	int fd;		    /* borrowed */
};

struct uploads {
	struct upload *items;
	size_t count, capacity;
};

void uploads_release(struct uploads *uploads);
#define cleanup_uploads uploads_release
void uploads_add_file(struct uploads *uploads, const uint8_t sha256[SHA256_BYTES],
		      uint64_t size_bytes, const char *source);
void uploads_add_fd(struct uploads *uploads, const uint8_t sha256[SHA256_BYTES],
		    uint64_t size_bytes, int fd);
/* Sends what is missing; shows progress on a terminal. Sorts the items. */
MUST_CHECK int uploads_send(struct uploads *uploads, struct api_client *api,
			    struct terminal *terminal, struct error *err);
