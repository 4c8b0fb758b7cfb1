/* GET /livez, /readyz. For machines: no key, and nothing that a stranger may not know. */
#include <string.h>

#include "api/routes.h"
#include "api/request.h"
#include "api/server.h"
#include "base/log.h"
#include "store/migrate.h"

int health_live(struct request *request, struct reply *reply, struct error *err)
{
	(void)request;
	(void)err;
	return reply_json(reply, MHD_HTTP_OK, json_pack("{s:s}", "status", "ok"));
}

static const char *check_blobs(struct server *server)
{
	static const uint8_t none[SHA256_BYTES];
	uint64_t bytes;
	struct error err;
	bool has;

	if (blob_has(server->blobs, none, &has, &bytes, &err) == 0)
		return "ok";
	log_warning("api.blobs_unready", F_ERROR(&err));
	return "not readable";
}

static void check_database(const struct request *request, const char **ret_database,
			   const char **ret_migrations)
{
	CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request);
	struct error err;
	bool is_current;

	*ret_database = "ok";
	*ret_migrations = "ok";
	if (migrate_check(db.pg, &is_current, &err) < 0) {
		log_warning("api.database_unready", F_ERROR(&err));
		*ret_database = "not reachable";
		*ret_migrations = "unknown";
	} else if (!is_current) {
		*ret_migrations = "not those of this program: run `rgridd db migrate`";
	}
}

int health_ready(struct request *request, struct reply *reply, struct error *err)
{
	const char *database;
	const char *migrations;
	bool is_verbose;

	if (query_get_bool(&request->query, "verbose", &is_verbose, err) < 0)
		return -1;
	check_database(request, &database, &migrations);
	const char *blobs = check_blobs(request->server);
	bool is_ready = strcmp(database, "ok") == 0 && strcmp(migrations, "ok") == 0 &&
			strcmp(blobs, "ok") == 0 && !atomic_load(&request->server->is_stopping);
	json_t *json = json_pack("{s:s}", "status", is_ready ? "ok" : "not ready");
	if (is_verbose)
		(void)json_object_set_new(json, "checks",
					  json_pack("{s:s, s:s, s:s}", "database", database,
						    "migrations", migrations, "blobs", blobs));
	return reply_json(reply, is_ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, json);
}
