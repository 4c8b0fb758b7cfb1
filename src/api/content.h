/* Files as answers: whole or by range, from the blob store's descriptor straight to the socket. */
#pragma once

#include "api/request.h"

/* `file_name`: to save it as, or NULL. Answers 200, 206, 304 or ERR_RANGE. ERR_NOT_FOUND when the
 * store has lost the bytes. */
MUST_CHECK int content_reply(const struct request *request, const uint8_t blob[SHA256_BYTES],
			     const char *file_name, struct reply *reply, struct error *err);
