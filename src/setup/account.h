/* Projects and API keys, made by whoever has the database: `rgrid up` and the operator's `key`
 * verbs. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "core/api_key.h"
#include "store/pg.h"

#define ACCOUNT_DEFAULT_PROJECT "default"

/* Makes the project if there is none of that name. */
MUST_CHECK int account_project_ensure(struct pg *pg, const char *name, int64_t *ret_id,
				      struct error *err);
/* ERR_NOT_FOUND */
MUST_CHECK int account_project_find(struct pg *pg, const char *name, int64_t *ret_id,
				    struct error *err);

/* A new key is drawn, put where its owner finds it, and only then stored: the database keeps no
 * more than the digest, so that a key that is stored first is lost if we die in between. */
void account_key_draw(char ret_key[API_KEY_BYTES]);
/* From here on the key is good. `scopes` is a mask of enum api_scope; expires_wall_us 0: never. */
MUST_CHECK int account_key_store(struct pg *pg, int64_t project_id, const char *name,
				 unsigned scopes, int64_t expires_wall_us, const char *key,
				 struct error *err);
/* Whether the database knows the key, and it is neither revoked nor expired. */
MUST_CHECK int account_key_is_good(struct pg *pg, const char *key, bool *ret, struct error *err);
/* ERR_NOT_FOUND when the project has no key with that label. */
MUST_CHECK int account_key_revoke(struct pg *pg, int64_t project_id, const char *label,
				  struct error *err);
