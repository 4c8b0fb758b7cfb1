#include "hcloud/server_disk.h"

#include "base/check.h"
#include "base/encode.h"
#include "base/str.h"
#include "hcloud/catalog.h"
#include "hcloud/image.h"
#include "hcloud/machines.h"
#include "hcloud/resource.h"
#include "hcloud/resources.h"
#include "hcloud/server.h"
#include "hcloud/server_create.h"
#include "hcloud/server_order.h"

#define USER_DATA_BYTES_MAX   32768
#define DESCRIPTION_BYTES_MAX 1024
#define TYPE_BYTES_MAX	      32

static int reply_rebuild(struct call *call, const json_t *server, json_t *args)
{
	bool has_keys = json_array_size(json_object_get(server, "_ssh_keys")) > 0;
	char password[SERVER_PASSWORD_CHARS + 1];
	const json_t *action = action_begin(call->sim, call->project,
					    &(const struct action_request){
						    .command = "rebuild_server",
						    .resources = {{KIND_SERVER, doc_id(server)}},
						    .args = args,
					    });

	base62_random(password, SERVER_PASSWORD_CHARS);
	return call_reply(call, 201,
			  json_pack("{s:o,s:s?}", "action",
				    action_view(call->sim, call->project, action), "root_password",
				    has_keys ? NULL : password));
}

static int rebuild(struct call *call)
{
	json_t *server = call_find(call, KIND_SERVER, 0);
	const json_t *wanted = NULL;
	const char *user_data = NULL;
	struct fields fields;

	if (!server || resource_check_unprotected(call, server, "rebuild") < 0 ||
	    resource_check_unlocked(call, KIND_SERVER, server) < 0)
		return -1;
	call_fields(call, &fields);
	fields_id_or_name(&fields, "image", FIELD_REQUIRED, &wanted);
	fields_str(&fields, "user_data", FIELD_OPTIONAL, USER_DATA_BYTES_MAX, &user_data);
	if (fields_finish(&fields) < 0)
		return -1;
	const json_t *type = server_type_of(call->sim, server);
	const json_t *image =
		image_find_for(call->sim, call->project, wanted, doc_str(type, "architecture"));
	if (!image)
		return problem_invalid(&call->problem, "image", "image not found");
	if (server_check_image(call, image, type) < 0)
		return -1;
	doc_set_str(server, "status", "rebuilding");
	return reply_rebuild(call, server,
			     json_pack("{s:I,s:s?}", "image", (json_int_t)doc_id(image),
				       "user_data", user_data));
}

int server_rebuilt(const struct action_run *run)
{
	json_t *server = server_target(run);
	const char *user_data = doc_str(run->args, "user_data");

	if (!server)
		return -1;
	doc_set_int(server, "_image", doc_int(run->args, "image"));
	if (user_data)
		doc_set_str(server, "_user_data", user_data);
	machines_delete(run->sim, server);
	machines_forget_images(run->sim);
	doc_set_str(server, "status", "running");
	return machines_power_on(run->sim, run->project, server, run->problem);
}

static int check_new_type(struct call *call, const json_t *server, const json_t *type)
{
	const json_t *old = server_type_of(call->sim, server);

	if (!str_eq(doc_str(server, "status"), "off"))
		return problem_set(&call->problem, PROBLEM_SERVER_NOT_STOPPED,
				   "server must be stopped");
	if (type == old)
		return problem_set(&call->problem, PROBLEM_INVALID_SERVER_TYPE,
				   "server has this type already");
	if (!str_eq(doc_str(type, "architecture"), doc_str(old, "architecture")))
		return problem_set(&call->problem, PROBLEM_INVALID_SERVER_TYPE,
				   "server type has another architecture");
	if (doc_int(type, "disk") < doc_int(server, "primary_disk_size"))
		return problem_set(&call->problem, PROBLEM_INVALID_SERVER_TYPE,
				   "server disk is bigger than that of the server type");
	return server_check_available(call, type, doc_str(server, "_location"));
}

static int change_type(struct call *call)
{
	const json_t *server = server_unlocked(call);
	const json_t *wanted = NULL;
	bool upgrade = false;
	struct fields fields;

	if (!server)
		return -1;
	call_fields(call, &fields);
	fields_id_or_name(&fields, "server_type", FIELD_REQUIRED, &wanted);
	fields_bool(&fields, "upgrade_disk", FIELD_REQUIRED, &upgrade);
	if (fields_finish(&fields) < 0)
		return -1;
	const json_t *type = catalog_find(call->sim, KIND_SERVER_TYPE, wanted);
	if (!type)
		return problem_invalid(&call->problem, "server_type", "server type not found");
	if (check_new_type(call, server, type) < 0)
		return -1;
	return server_begin(
		call, server, "change_server_type",
		json_pack("{s:I,s:b}", "type", (json_int_t)doc_id(type), "upgrade", upgrade));
}

int server_type_changed(const struct action_run *run)
{
	json_t *server = server_target(run);

	if (!server)
		return -1;
	doc_set_int(server, "_type", doc_int(run->args, "type"));
	if (doc_bool(run->args, "upgrade"))
		doc_set_int(server, "primary_disk_size",
			    doc_int(server_type_of(run->sim, server), "disk"));
	return 0;
}

/* The image is there at once, as "creating". */
static json_t *new_image(struct call *call, const json_t *server, const char *type,
			 const char *description, const json_t *labels)
{
	const json_t *origin = image_find(call->sim, call->project, doc_int(server, "_image"));
	json_t *image = resource_new(call->sim, "", labels);
	bool is_backup = str_eq(type, "backup");

	doc_set(image, "name", json_null());
	doc_set_str(image, "type", type);
	doc_set_str(image, "status", "creating");
	doc_set_str(image, "description", description ? description : doc_str(server, "name"));
	doc_set(image, "image_size", json_null());
	doc_set_int(image, "disk_size", doc_int(server, "primary_disk_size"));
	doc_set(image, "created_from",
		json_pack("{s:I,s:s}", "id", (json_int_t)doc_id(server), "name",
			  doc_str(server, "name")));
	doc_set(image, "bound_to", is_backup ? json_integer(doc_id(server)) : json_null());
	doc_set_str(image, "os_flavor", origin ? doc_str(origin, "os_flavor") : "unknown");
	doc_set_str(image, "os_version", origin ? doc_str(origin, "os_version") : NULL);
	doc_set_bool(image, "rapid_deploy", false);
	doc_set(image, "protection", json_pack("{s:b}", "delete", 0));
	doc_set(image, "deprecated", json_null());
	doc_set(image, "deleted", json_null());
	doc_set_str(image, "architecture",
		    doc_str(server_type_of(call->sim, server), "architecture"));
	return table_add(sim_table(call->sim, call->project, KIND_IMAGE), image);
}

static int create_image(struct call *call)
{
	const json_t *server = server_unlocked(call);
	const char *type = "snapshot";
	const char *description = NULL;
	const json_t *labels = NULL;
	struct fields fields;

	if (!server)
		return -1;
	call_fields(call, &fields);
	fields_str(&fields, "type", FIELD_OPTIONAL, TYPE_BYTES_MAX, &type);
	fields_str(&fields, "description", FIELD_OPTIONAL, DESCRIPTION_BYTES_MAX, &description);
	fields_labels(&fields, &labels);
	if (!str_eq(type, "snapshot") && !str_eq(type, "backup"))
		fields_fail(&fields, "type", "Not a valid choice.");
	if (fields_finish(&fields) < 0)
		return -1;
	if (str_eq(type, "backup") && !doc_str(server, "backup_window"))
		return problem_set(&call->problem, PROBLEM_SERVICE_ERROR,
				   "backups are not enabled for the server");
	const json_t *image = new_image(call, server, type, description, labels);
	if (machines_snapshot(call->sim, server, image, &call->problem) < 0) {
		table_remove(sim_table(call->sim, call->project, KIND_IMAGE), doc_id(image));
		return -1;
	}
	const json_t *action = action_begin(
		call->sim, call->project,
		&(const struct action_request){
			.command = "create_image",
			.resources = {{KIND_SERVER, doc_id(server)}, {KIND_IMAGE, doc_id(image)}},
		});
	return call_reply(call, 201,
			  json_pack("{s:o,s:o}", "image",
				    resource_view(call->sim, call->project, KIND_IMAGE, image),
				    "action", action_view(call->sim, call->project, action)));
}

int server_image_created(const struct action_run *run)
{
	json_t *image = action_target(run, KIND_IMAGE);

	if (!image)
		return problem_set(run->problem, PROBLEM_NOT_FOUND, "image not found");
	int result = machines_snapshot_result(run->sim, image, run->problem);
	if (result != 0)
		return result;
	doc_set_str(image, "status", "available");
	doc_set(image, "image_size", json_real(1.5));
	return 0;
}

const struct route server_disk_routes[] = {
	{"POST", "/servers/{id}/actions/rebuild", rebuild},
	{"POST", "/servers/{id}/actions/change_type", change_type},
	{"POST", "/servers/{id}/actions/create_image", create_image},
	{NULL, NULL, NULL},
};
