/* Who asks. API keys are looked up by label, compared by SHA-256, and remembered for a few seconds:
 * a revoked key works no longer than that. Workers show "rgw_<worker id>_<secret>"; that is checked
 * where blobs are, together with what they may touch. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/hash.h"
#include "core/api_key.h"
#include "core/limits.h"
#include "store/pg.h"

enum identity_kind { IDENTITY_NONE = 0, IDENTITY_KEY, IDENTITY_WORKER };

#define LIMIT_STATUS_BYTES 16

struct identity {
	enum identity_kind kind;
	/* a key */
	int64_t project_id;
	unsigned scopes; /* enum api_scope */
	char label[API_KEY_LABEL_BYTES];
	char name[LIMIT_NAME_BYTES + 1];
	char project_name[LIMIT_NAME_BYTES + 1];
	char limit_status[LIMIT_STATUS_BYTES]; /* as GET /api/v1/cost has it, some seconds old */
	/* a worker */
	int64_t worker_id;
	uint8_t secret_sha256[SHA256_BYTES];
};

struct auth;

struct auth *auth_new(struct pg_pool *pool);
void auth_free(struct auth *auth);

/* `authorization` is the header's value or NULL. ERR_UNAUTHENTICATED says what is wrong with it. A
 * worker is not verified yet. Thread-safe. */
MUST_CHECK int auth_identify(struct auth *auth, const char *authorization, struct identity *ret,
			     struct error *err);
/* Drops what is remembered of a key that was just revoked. */
void auth_forget(struct auth *auth, const char *label);
/* Drops what is remembered of keys of a project, whose limit has changed. */
void auth_forget_project(struct auth *auth, int64_t project_id);
