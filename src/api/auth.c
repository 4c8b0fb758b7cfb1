#include "api/auth.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/str.h"
#include "core/id.h"
#include "store/queries.h"

#define CACHE_ENTRIES	     1024
#define CACHE_MS	     4000 /* revocation is promised within 5 s */
#define SCHEME		     "Bearer "
#define WORKER_PREFIX	     "rgw_"
#define CREDENTIAL_BYTES_MAX 256

/* Each key has one place, by its digest; another key with the same place replaces it. */
struct cached_key {
	uint8_t key_sha256[SHA256_BYTES];
	struct identity identity; /* kind NONE: empty */
	uint64_t good_until_ms;
};

struct auth {
	struct pg_pool *pool;
	pthread_mutex_t mutex;
	struct cached_key cache[CACHE_ENTRIES];
};

struct auth *auth_new(struct pg_pool *pool)
{
	struct auth *auth = xcalloc(1, sizeof(*auth));

	auth->pool = pool;
	CHECK(pthread_mutex_init(&auth->mutex, NULL) == 0);
	return auth;
}

void auth_free(struct auth *auth)
{
	if (auth == NULL)
		return;
	(void)pthread_mutex_destroy(&auth->mutex);
	free(auth);
}

static struct cached_key *place_of(struct auth *auth, const uint8_t key_sha256[SHA256_BYTES])
{
	size_t index = (size_t)key_sha256[0] << 8 | key_sha256[1];

	return &auth->cache[index % CACHE_ENTRIES];
}

static bool recall(struct auth *auth, const uint8_t key_sha256[SHA256_BYTES], struct identity *ret)
{
	const struct cached_key *cached = place_of(auth, key_sha256);

	CHECK(pthread_mutex_lock(&auth->mutex) == 0);
	bool found = cached->identity.kind == IDENTITY_KEY &&
		     sha256_equal(cached->key_sha256, key_sha256) &&
		     clock_boottime_ms() < cached->good_until_ms;
	if (found)
		*ret = cached->identity;
	CHECK(pthread_mutex_unlock(&auth->mutex) == 0);
	return found;
}

static void remember(struct auth *auth, const uint8_t key_sha256[SHA256_BYTES],
		     const struct identity *identity, uint64_t good_until_ms)
{
	struct cached_key *cached = place_of(auth, key_sha256);

	CHECK(pthread_mutex_lock(&auth->mutex) == 0);
	memcpy(cached->key_sha256, key_sha256, SHA256_BYTES);
	cached->identity = *identity;
	cached->good_until_ms = good_until_ms;
	CHECK(pthread_mutex_unlock(&auth->mutex) == 0);
}

void auth_forget(struct auth *auth, const char *label)
{
	CHECK(pthread_mutex_lock(&auth->mutex) == 0);
	for (size_t i = 0; i < CACHE_ENTRIES; i++) {
		if (str_eq(auth->cache[i].identity.label, label))
			auth->cache[i].identity.kind = IDENTITY_NONE;
	}
	CHECK(pthread_mutex_unlock(&auth->mutex) == 0);
}

void auth_forget_project(struct auth *auth, int64_t project_id)
{
	CHECK(pthread_mutex_lock(&auth->mutex) == 0);
	for (size_t i = 0; i < CACHE_ENTRIES; i++) {
		if (auth->cache[i].identity.project_id == project_id)
			auth->cache[i].identity.kind = IDENTITY_NONE;
	}
	CHECK(pthread_mutex_unlock(&auth->mutex) == 0);
}

enum key_column {
	KEY_SHA256,
	KEY_PROJECT_ID,
	KEY_PROJECT_NAME,
	KEY_SCOPES,
	KEY_NAME,
	KEY_LEFT_MS,
	KEY_IS_REVOKED,
	KEY_IS_STALE,
	KEY_LIMIT_STATUS,
};

static int refuse(struct error *err, const char *why)
{
	error_set(err, ERR_UNAUTHENTICATED, "%s", why);
	return error_hint(err, "send \"Authorization: Bearer rgk_…\"; keys are made with "
			       "`rgridd key create`");
}

static int accept_row(const PGresult *row, const uint8_t key_sha256[SHA256_BYTES],
		      struct identity *identity, uint64_t *ret_good_until_ms, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf stored = {0};
	uint64_t now_ms = clock_boottime_ms();
	int64_t left_ms = pg_get_i64(row, 0, KEY_LEFT_MS);
	bool expires = pg_get_text_or_null(row, 0, KEY_LEFT_MS) != NULL;

	buf_init(&stored, SHA256_BYTES);
	pg_get_bytes(row, 0, KEY_SHA256, &stored);
	if (stored.bytes != SHA256_BYTES || !sha256_equal((const uint8_t *)stored.data, key_sha256))
		return refuse(err, "this API key is not known");
	if (pg_get_bool(row, 0, KEY_IS_REVOKED))
		return refuse(err, "this API key was revoked");
	if (expires && left_ms <= 0)
		return refuse(err, "this API key has expired");
	identity->project_id = pg_get_i64(row, 0, KEY_PROJECT_ID);
	identity->scopes = (unsigned)pg_get_i64(row, 0, KEY_SCOPES);
	(void)snprintf(identity->name, sizeof(identity->name), "%s", pg_get_text(row, 0, KEY_NAME));
	(void)snprintf(identity->project_name, sizeof(identity->project_name), "%s",
		       pg_get_text(row, 0, KEY_PROJECT_NAME));
	(void)snprintf(identity->limit_status, sizeof(identity->limit_status), "%s",
		       pg_get_text(row, 0, KEY_LIMIT_STATUS));
	*ret_good_until_ms =
		now_ms + (expires && left_ms < CACHE_MS ? (uint64_t)left_ms : CACHE_MS);
	return 0;
}

static int look_up(struct auth *auth, struct pg *pg, const uint8_t key_sha256[SHA256_BYTES],
		   struct identity *identity, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	uint64_t good_until_ms;
	struct error ignored;

	pg_param_text(&params, identity->label);
	if (pg_run(pg, &query_key_find, &params, &result, err) < 0)
		return -1;
	if (PQntuples(result) == 0)
		return refuse(err, "this API key is not known");
	if (accept_row(result, key_sha256, identity, &good_until_ms, err) < 0)
		return -1;
	/* A note for people; requests do not fail for its sake. */
	if (pg_get_bool(result, 0, KEY_IS_STALE))
		(void)!pg_do(pg, &query_key_touch, &params, NULL, &ignored);
	remember(auth, key_sha256, identity, good_until_ms);
	return 0;
}

static int identify_worker(const char *credential, struct identity *ret, struct error *err)
{
	char id[ID_TEXT_BYTES];
	const char *at = credential + strlen(WORKER_PREFIX);
	const char *secret = strrchr(at, '_');
	int64_t low;
	int64_t high;

	if (secret == NULL || (size_t)(secret - at) >= sizeof(id))
		return refuse(err, "this is not a worker's credential");
	memcpy(id, at, (size_t)(secret - at));
	id[secret - at] = '\0';
	if (!id_parse(ID_WORKER, id, &low, &high) || low != high)
		return refuse(err, "this is not a worker's credential");
	ret->kind = IDENTITY_WORKER;
	ret->worker_id = low;
	sha256_of(secret + 1, strlen(secret + 1), ret->secret_sha256);
	return 0;
}

int auth_identify(struct auth *auth, const char *authorization, struct identity *ret,
		  struct error *err)
{
	struct identity identity = {.kind = IDENTITY_KEY};
	uint8_t key_sha256[SHA256_BYTES];

	if (authorization == NULL)
		return refuse(err, "this request carries no API key");
	if (strncasecmp(authorization, SCHEME, strlen(SCHEME)) != 0)
		return refuse(err, "the Authorization header is not of the form \"Bearer KEY\"");
	const char *credential = authorization + strlen(SCHEME);
	if (strlen(credential) > CREDENTIAL_BYTES_MAX)
		return refuse(err, "this is not an API key");
	if (str_has_prefix(credential, WORKER_PREFIX))
		return identify_worker(credential, ret, err);
	if (!api_key_check(credential, identity.label))
		return refuse(err, "this is not an API key: mistyped, or cut off?");
	sha256_of(credential, strlen(credential), key_sha256);
	if (recall(auth, key_sha256, ret))
		return 0;
	struct pg *pg = pg_pool_take(auth->pool);
	int result = look_up(auth, pg, key_sha256, &identity, err);
	pg_pool_give(auth->pool, pg);
	if (result == 0)
		*ret = identity;
	return result;
}
