#include "setup/account.h"

#include "base/check.h"
#include "base/encode.h"
#include "base/hash.h"
#include "store/queries.h"

#define SECRET_CHARS 32

int account_project_ensure(struct pg *pg, const char *name, int64_t *ret_id, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	pg_param_text(&params, name);
	if (pg_run(pg, &query_account_project_ensure, &params, &result, err) < 0)
		return error_wrap(err, "project %s", name);
	*ret_id = pg_get_i64(result, 0, 0);
	return 0;
}

int account_project_find(struct pg *pg, const char *name, int64_t *ret_id, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	pg_param_text(&params, name);
	if (pg_run(pg, &query_account_project_find, &params, &result, err) < 0)
		return -1;
	if (PQntuples(result) == 0)
		return error_set(err, ERR_NOT_FOUND, "there is no project \"%s\"", name);
	*ret_id = pg_get_i64(result, 0, 0);
	return 0;
}

void account_key_draw(char ret_key[API_KEY_BYTES])
{
	char label[API_KEY_LABEL_BYTES];
	char secret[SECRET_CHARS + 1];
	base62_random(label, sizeof(label) - 1);
	base62_random(secret, SECRET_CHARS);
	api_key_assemble(label, secret, ret_key);
}

int account_key_store(struct pg *pg, int64_t project_id, const char *name, unsigned scopes,
		      int64_t expires_wall_us, const char *key, struct error *err)
{
	char label[API_KEY_LABEL_BYTES];
	uint8_t digest[SHA256_BYTES];
	CHECK(api_key_check(key, label));
	sha256_of(key, strlen(key), digest);

	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	pg_param_i64(&params, project_id);
	pg_param_text(&params, label);
	pg_param_bytes(&params, digest, sizeof(digest));
	pg_param_text(&params, name);
	pg_param_i64(&params, (int64_t)scopes);
	if (expires_wall_us != 0)
		pg_param_i64(&params, expires_wall_us);
	else
		pg_param_null(&params);
	int64_t rows = 0;
	if (pg_do(pg, &query_key_create, &params, &rows, err) < 0)
		return error_wrap(err, "cannot store the key");
	if (rows == 0)
		return error_set(err, ERR_INVALID, "the key would have expired already");
	return 0;
}

int account_key_is_good(struct pg *pg, const char *key, bool *ret, struct error *err)
{
	char label[API_KEY_LABEL_BYTES];
	if (!api_key_check(key, label)) {
		*ret = false;
		return 0;
	}
	uint8_t digest[SHA256_BYTES];
	sha256_of(key, strlen(key), digest);
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	pg_param_text(&params, label);
	pg_param_bytes(&params, digest, sizeof(digest));
	if (pg_run(pg, &query_account_key_is_good, &params, &result, err) < 0)
		return -1;
	*ret = pg_get_bool(result, 0, 0);
	return 0;
}

int account_key_revoke(struct pg *pg, int64_t project_id, const char *label, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	int64_t rows = 0;
	pg_param_i64(&params, project_id);
	pg_param_text(&params, label);
	if (pg_do(pg, &query_key_revoke, &params, &rows, err) < 0)
		return -1;
	if (rows == 0) {
		(void)error_set(err, ERR_NOT_FOUND, "there is no key with the label \"%s\"", label);
		return error_hint(err, "`rgridd key list` shows the labels");
	}
	return 0;
}
