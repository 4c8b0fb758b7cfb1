/* /api/v1/keys… */
#include <string.h>

#include "api/instant.h"
#include "api/job_view.h"
#include "api/page.h"
#include "api/refuse.h"
#include "api/routes.h"
#include "api/server.h"
#include "base/check.h"
#include "base/encode.h"
#include "base/json.h"
#include "base/str.h"
#include "core/api_key.h"
#include "core/limits.h"
#include "store/queries.h"

#define SECRET_CHARS 32

/* Columns of keys_list and key_create. */
enum key_column {
	KEY_COLUMN_ID,
	KEY_COLUMN_LABEL,
	KEY_COLUMN_NAME,
	KEY_COLUMN_SCOPES,
	KEY_COLUMN_CREATED_US,
	KEY_COLUMN_EXPIRES_US,
	KEY_COLUMN_REVOKED_US,
	KEY_COLUMN_LAST_USED_US,
};

static const struct {
	unsigned scope;
	const char *name;
} scope_names[] = {{SCOPE_READ, "read"}, {SCOPE_RUN, "run"}, {SCOPE_ADMIN, "admin"}};

static json_t *scopes_json(unsigned scopes)
{
	json_t *json = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(scope_names); i++) {
		if ((scopes & scope_names[i].scope) != 0)
			CHECK(json_array_append_new(json, json_string(scope_names[i].name)) == 0);
	}
	return json;
}

static json_t *key_json(const PGresult *result, int row)
{
	unsigned scopes = (unsigned)pg_get_i64(result, row, KEY_COLUMN_SCOPES);
	json_t *json =
		json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id",
			  column_id(result, row, KEY_COLUMN_ID, ID_KEY), "label",
			  column_text(result, row, KEY_COLUMN_LABEL), "name",
			  column_text(result, row, KEY_COLUMN_NAME), "scopes", scopes_json(scopes),
			  "created_at", column_time(result, row, KEY_COLUMN_CREATED_US),
			  "expires_at", column_time(result, row, KEY_COLUMN_EXPIRES_US),
			  "revoked_at", column_time(result, row, KEY_COLUMN_REVOKED_US),
			  "last_used_at", column_time(result, row, KEY_COLUMN_LAST_USED_US));

	CHECK(json != NULL);
	return json;
}

int keys_list(struct request *request, struct reply *reply, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	int64_t before;
	int64_t limit;

	if (page_read(request, CURSOR_KEYS, INT64_MAX, &before, &limit, err) < 0)
		return -1;
	CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request);
	pg_param_i64(&params, request->who.project_id);
	pg_param_i64(&params, before);
	pg_param_i64(&params, limit);
	if (pg_run(db.pg, &query_keys_list, &params, &result, err) < 0)
		return -1;
	json_t *items = json_array();
	int64_t last = 0;
	for (int row = 0; row < PQntuples(result); row++) {
		last = pg_get_i64(result, row, KEY_COLUMN_ID);
		CHECK(json_array_append_new(items, key_json(result, row)) == 0);
	}
	return page_reply_by_id(request, reply, items, CURSOR_KEYS, limit, last);
}

static unsigned scope_of(const char *name)
{
	for (size_t i = 0; name != NULL && i < ARRAY_SIZE(scope_names); i++) {
		if (str_eq(name, scope_names[i].name))
			return scope_names[i].scope;
	}
	return 0;
}

static void read_scopes(struct json_reader *reader, unsigned *ret)
{
	const json_t *names = NULL;

	json_require(reader, "scopes");
	json_read_array(reader, "scopes", ARRAY_SIZE(scope_names), &names);
	*ret = 0;
	for (size_t i = 0; !reader->failed && i < json_array_size(names); i++) {
		unsigned scope = scope_of(json_string_value(json_array_get(names, i)));

		if (scope == 0)
			json_reader_fail(reader, "scopes",
					 "may contain \"read\", \"run\" and \"admin\"");
		*ret |= scope;
	}
	if (!reader->failed && *ret == 0)
		json_reader_fail(reader, "scopes", "must name at least one scope");
}

struct key_request {
	const char *name;
	unsigned scopes;
	bool expires;
	int64_t expires_us;
};

static int read_key(const struct request *request, struct key_request *ret, struct error *err)
{
	struct json_reader reader;
	const char *expires_at = NULL;

	json_reader_init(&reader, request->json, "", err);
	json_require(&reader, "name");
	json_read_str(&reader, "name", 1, LIMIT_NAME_BYTES, &ret->name);
	read_scopes(&reader, &ret->scopes);
	json_read_str(&reader, "expires_at", 0, SIZE_MAX, &expires_at);
	if (json_reader_finish(&reader) < 0)
		return -1;
	ret->expires = expires_at != NULL;
	if (ret->expires && instant_parse(expires_at, &ret->expires_us, err) < 0)
		return refuse_value(err, "expires_at");
	return 0;
}

int keys_create(struct request *request, struct reply *reply, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	char label[API_KEY_LABEL_BYTES];
	char secret[SECRET_CHARS + 1];
	char key[API_KEY_BYTES];
	uint8_t digest[SHA256_BYTES];
	struct key_request wanted = {0};

	if (read_key(request, &wanted, err) < 0)
		return -1;
	base62_random(label, API_KEY_LABEL_BYTES - 1);
	base62_random(secret, SECRET_CHARS);
	api_key_assemble(label, secret, key);
	sha256_of(key, strlen(key), digest);
	pg_param_i64(&params, request->who.project_id);
	pg_param_text(&params, label);
	pg_param_bytes(&params, digest, sizeof(digest));
	pg_param_text(&params, wanted.name);
	pg_param_i64(&params, wanted.scopes);
	if (wanted.expires)
		pg_param_i64(&params, wanted.expires_us);
	else
		pg_param_null(&params);
	CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request);
	if (pg_run(db.pg, &query_key_create, &params, &result, err) < 0)
		return -1;
	if (PQntuples(result) == 0) {
		return refuse_field(err, "expires_at", "must be in the future");
	}
	json_t *json = key_json(result, 0);
	CHECK(json_object_set_new(json, "key", json_string(key)) == 0);
	return reply_json(reply, MHD_HTTP_CREATED, json);
}

int keys_revoke(struct request *request, struct reply *reply, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	int64_t rows;

	pg_param_i64(&params, request->who.project_id);
	pg_param_text(&params, request->args[0]);
	CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request);
	if (pg_do(db.pg, &query_key_revoke, &params, &rows, err) < 0)
		return -1;
	if (rows == 0)
		return error_set(err, ERR_NOT_FOUND, "this project has no key with the label %.64s",
				 request->args[0]);
	auth_forget(request->server->auth, request->args[0]);
	reply->status = MHD_HTTP_NO_CONTENT;
	return 0;
}

int keys_self(struct request *request, struct reply *reply, struct error *err)
{
	const struct identity *who = &request->who;

	(void)err;
	return reply_json(reply, MHD_HTTP_OK,
			  json_pack("{s:s, s:s, s:o, s:s}", "label", who->label, "name", who->name,
				    "scopes", scopes_json(who->scopes), "project",
				    who->project_name));
}
