/* The file that names the public addresses of this grid's servers (core/address_list.h), for who
 * opens the database to them: `rgrid db expose --public-workers`, which runs as root where we do
 * not.
 *
 * It is replaced as a whole and only when it changes: before a new server can need it, and as soon
 * as a server is on its way out, since its address is somebody else's next. Until the first
 * complete listing the file of the process before stands: what is not known yet would be locked
 * out. */
#pragma once

#include <stdint.h>

#include "base/error.h"

struct public_list;

/* `path` is borrowed. */
struct public_list *public_list_new(const char *path);
void public_list_free(struct public_list *list);

/* Before a complete listing. */
void public_list_clear(struct public_list *list);
/* What is no public address is left out: "" of a server without one. */
void public_list_add(struct public_list *list, int64_t server_id, const char *address);
void public_list_remove(struct public_list *list, int64_t server_id);
/* Tried again by the next call when it fails. ERR_LIMIT: written, but for what is one too many. */
MUST_CHECK int public_list_publish(struct public_list *list, struct error *err);
