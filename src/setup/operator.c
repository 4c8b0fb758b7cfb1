#include "setup/operator.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "conf/conninfo.h"
#include "core/api_key.h"
#include "core/limits.h"
#include "setup/account.h"
#include "setup/cluster.h"
#include "setup/programs.h"
#include "store/migrate.h"
#include "store/queries.h"

#define OUTPUT_BYTES_MAX (4 * MIB)

static const struct {
	const char *name;
	unsigned bit;
} scope_names[] = {{"read", SCOPE_READ}, {"run", SCOPE_RUN}, {"admin", SCOPE_ADMIN}};

static int find_database(const struct conf *conf, char **ret, struct error *err)
{
	const char *named = conf_text(conf, CONF_DATABASE);
	if (named[0] == '\0')
		return cluster_conninfo(conf_text(conf, CONF_DATA_DIR), CLUSTER_OPERATOR, ret, err);
	*ret = xstrdup(named);
	return 0;
}

int operator_open_database(const struct conf *conf, struct pg **ret, struct error *err)
{
	CLEANUP(cleanup_free) char *conninfo = NULL;
	if (find_database(conf, &conninfo, err) < 0)
		return -1;
	return pg_open(conninfo, ret, err);
}

int operator_db_migrate(const struct conf *conf, struct error *err)
{
	CLEANUP(cleanup_free) char *conninfo = NULL;
	if (find_database(conf, &conninfo, err) < 0 || migrate_run(conninfo, err) < 0)
		return -1;
	(void)puts("The database is up to date.");
	return 0;
}

int operator_db_status(const struct conf *conf, struct error *err)
{
	CLEANUP(cleanup_pg) struct pg *pg = NULL;
	bool current = false;
	if (operator_open_database(conf, &pg, err) < 0 || migrate_check(pg, &current, err) < 0)
		return -1;
	if (!current) {
		(void)error_set(err, ERR_CONFLICT,
				"the database's schema is not the one that this program needs");
		return error_hint(err, "rgridd db migrate");
	}
	(void)puts("The database answers, and its schema is up to date.");
	return 0;
}

static int scopes_parse(const char *text, unsigned *ret, struct error *err)
{
	CLEANUP(cleanup_free) char *copy = xstrdup(text);
	char *rest = copy;
	char *word;
	unsigned scopes = 0;
	while ((word = strsep(&rest, ",")) != NULL) {
		unsigned bit = 0;
		for (size_t i = 0; i < ARRAY_SIZE(scope_names); i++) {
			if (str_eq(word, scope_names[i].name))
				bit = scope_names[i].bit;
		}
		if (bit == 0)
			return error_set(err, ERR_INVALID,
					 "\"%s\" is not a scope: read, run or admin", word);
		scopes |= bit;
	}
	*ret = scopes;
	return 0;
}

int operator_key_create(const struct conf *conf, const char *project, const char *name,
			const char *scopes, uint64_t lifetime_ms, struct error *err)
{
	CLEANUP(cleanup_pg) struct pg *pg = NULL;
	unsigned mask = 0;
	int64_t project_id = 0;
	char key[API_KEY_BYTES];
	int64_t expires_us = lifetime_ms == 0 ? 0 : clock_wall_us() + (int64_t)lifetime_ms * 1000;
	if (scopes_parse(scopes, &mask, err) < 0 || operator_open_database(conf, &pg, err) < 0 ||
	    account_project_ensure(pg, project, &project_id, err) < 0)
		return -1;
	account_key_draw(key);
	if (account_key_store(pg, project_id, name, mask, expires_us, key, err) < 0)
		return -1;
	(void)puts(key);
	return 0;
}

/* Columns of keys_list. */
enum { KEY_ID, KEY_LABEL, KEY_NAME, KEY_SCOPES, KEY_CREATED, KEY_EXPIRES, KEY_REVOKED, KEY_USED };

static void scopes_text(unsigned scopes, char *out, size_t size)
{
	out[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(scope_names); i++) {
		if ((scopes & scope_names[i].bit) == 0)
			continue;
		size_t used = strlen(out);
		(void)snprintf(out + used, size - used, "%s%s", used > 0 ? "," : "",
			       scope_names[i].name);
	}
}

/* RFC 3339, or NULL for SQL's NULL. */
static const char *instant(const PGresult *result, int row, int column,
			   char out[CLOCK_RFC3339_BYTES])
{
	return pg_get_text_or_null(result, row, column) == NULL
		       ? NULL
		       : clock_format_rfc3339(pg_get_i64(result, row, column), out);
}

static void key_print(const PGresult *result, int row)
{
	char created[CLOCK_RFC3339_BYTES];
	char expires[CLOCK_RFC3339_BYTES];
	char used[CLOCK_RFC3339_BYTES];
	char scopes[64];
	const char *expiry = instant(result, row, KEY_EXPIRES, expires);
	const char *last_use = instant(result, row, KEY_USED, used);
	bool revoked = pg_get_text_or_null(result, row, KEY_REVOKED) != NULL;
	scopes_text((unsigned)pg_get_i64(result, row, KEY_SCOPES), scopes, sizeof(scopes));
	(void)printf("%-10s %-15s %-24s %-24s %-24s %s\n", pg_get_text(result, row, KEY_LABEL),
		     scopes, instant(result, row, KEY_CREATED, created),
		     last_use != NULL ? last_use : "never",
		     revoked ? "revoked" : (expiry != NULL ? expiry : "never"),
		     pg_get_text(result, row, KEY_NAME));
}

static json_t *key_json(const PGresult *result, int row)
{
	char text[3][CLOCK_RFC3339_BYTES];
	char scopes[64];
	scopes_text((unsigned)pg_get_i64(result, row, KEY_SCOPES), scopes, sizeof(scopes));
	return json_pack("{s:s, s:s, s:s, s:s?, s:s?, s:b}", "label",
			 pg_get_text(result, row, KEY_LABEL), "name",
			 pg_get_text(result, row, KEY_NAME), "scopes", scopes, "expires_at",
			 instant(result, row, KEY_EXPIRES, text[0]), "last_used_at",
			 instant(result, row, KEY_USED, text[1]), "revoked",
			 pg_get_text_or_null(result, row, KEY_REVOKED) != NULL);
}

static void keys_print_json(const PGresult *result)
{
	CLEANUP(cleanup_json) json_t *items = json_array();
	for (int row = 0; row < PQntuples(result); row++)
		(void)json_array_append_new(items, key_json(result, row));
	CLEANUP(cleanup_json) json_t *all = json_pack("{s:O}", "items", items);
	CLEANUP(cleanup_free) char *text = json_to_text(all);
	(void)puts(text);
}

int operator_key_list(const struct conf *conf, const char *project, bool json, struct error *err)
{
	CLEANUP(cleanup_pg) struct pg *pg = NULL;
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	int64_t project_id = 0;
	if (operator_open_database(conf, &pg, err) < 0 ||
	    account_project_find(pg, project, &project_id, err) < 0)
		return -1;
	pg_param_i64(&params, project_id);
	pg_param_i64(&params, INT64_MAX);
	pg_param_i64(&params, LIMIT_PAGE);
	if (pg_run(pg, &query_keys_list, &params, &result, err) < 0)
		return -1;
	if (json) {
		keys_print_json(result);
		return 0;
	}
	(void)printf("%-10s %-15s %-24s %-24s %-24s %s\n", "LABEL", "SCOPES", "CREATED",
		     "LAST USED", "EXPIRES", "NAME");
	for (int row = 0; row < PQntuples(result); row++)
		key_print(result, row);
	return 0;
}

int operator_key_revoke(const struct conf *conf, const char *project, const char *label,
			struct error *err)
{
	CLEANUP(cleanup_pg) struct pg *pg = NULL;
	int64_t project_id = 0;
	if (operator_open_database(conf, &pg, err) < 0 ||
	    account_project_find(pg, project, &project_id, err) < 0)
		return -1;
	return account_key_revoke(pg, project_id, label, err);
}

void operator_config_show(const struct conf *conf, bool json)
{
	CLEANUP(cleanup_buf) struct buf text;
	buf_init(&text, OUTPUT_BYTES_MAX);
	if (json)
		conf_show_json(conf, &text);
	else
		conf_show(conf, &text);
	(void)fputs(text.data, stdout);
}

int operator_config_check(const struct conf *conf, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf ignored;
	buf_init(&ignored, CONNINFO_BYTES_MAX);
	const char *database = conf_text(conf, CONF_DATABASE);
	if (database[0] != '\0' && conninfo_with_login(database, "", "", &ignored, err) < 0)
		return error_wrap(err, "database");
	if (programs_check(err) < 0)
		return -1;
	(void)printf("The configuration is good%s%s.\n", conf->file != NULL ? ": " : " (no file)",
		     conf->file != NULL ? conf->file : "");
	return 0;
}
