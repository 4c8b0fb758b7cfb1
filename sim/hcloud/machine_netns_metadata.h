/* One machine's metadata service: HTTP at 169.254.169.254, port 80, at the router's end of each of
 * the machine's cables and nowhere else. So it cannot take one machine for another, and nobody
 * else reaches it. It answers from the machine's identity at the time of the request. */
#pragma once

#include <systemd/sd-event.h>

#include "base/error.h"
#include "hcloud/machine_netns_identity.h"
#include "hcloud/machine_netns_router.h"

struct metadata;

/* `identity` is borrowed for the service's life. */
struct metadata *metadata_new(sd_event *event, const struct identity *identity);
void metadata_free(struct metadata *metadata); /* NULL is fine */

MUST_CHECK int metadata_listen(struct metadata *metadata, const struct cable *cable,
			       struct error *err);
void metadata_unlisten(struct metadata *metadata, const struct cable *cable);

/* The path of a GET request whose head is complete in text[0..bytes); the HTTP status to refuse it
 * with otherwise, 0 if it is all right. The path is cut at a "?". */
#define METADATA_PATH_BYTES 128
int metadata_parse_request(const char *text, size_t bytes, char ret_path[METADATA_PATH_BYTES]);
