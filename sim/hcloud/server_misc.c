#include "hcloud/server_misc.h"

#include <inttypes.h>

#include "base/check.h"
#include "base/encode.h"
#include "base/str.h"
#include "hcloud/placement_group.h"
#include "hcloud/protection.h"
#include "hcloud/resource.h"
#include "hcloud/server.h"
#include "hcloud/server_create.h"

#define BACKUP_WINDOW "22-02"
#define URL_BYTES     160
#define TICKET_CHARS  32

static int add_to_placement_group(struct call *call)
{
	const json_t *server = server_unlocked(call);
	int64_t id = 0;
	struct fields fields;

	if (!server)
		return -1;
	call_fields(call, &fields);
	fields_id_or_digits(&fields, "placement_group", FIELD_REQUIRED, &id);
	if (fields_finish(&fields) < 0)
		return -1;
	if (!table_find(sim_table(call->sim, call->project, KIND_PLACEMENT_GROUP), id))
		return call_not_found(call, KIND_PLACEMENT_GROUP, id);
	if (doc_int(server, "_placement_group"))
		return problem_set(&call->problem, PROBLEM_ALREADY_IN_PLACEMENT_GROUP,
				   "server is already in a placement group");
	if (!str_eq(doc_str(server, "status"), "off"))
		return problem_set(&call->problem, PROBLEM_SERVER_NOT_STOPPED,
				   "server must be stopped");
	if (placement_group_check_room(call, id) < 0)
		return -1;
	return server_begin(call, server, "add_to_placement_group",
			    json_pack("{s:I}", "group", (json_int_t)id));
}

static int remove_from_placement_group(struct call *call)
{
	const json_t *server = server_unlocked(call);

	if (!server)
		return -1;
	if (!doc_int(server, "_placement_group"))
		return problem_set(&call->problem, PROBLEM_SERVICE_ERROR,
				   "server is not in a placement group");
	return server_begin(call, server, "remove_from_placement_group", NULL);
}

/* Its group may have been deleted while the action ran. */
int server_group_joined(const struct action_run *run)
{
	json_t *server = server_target(run);
	int64_t id = doc_int(run->args, "group");

	if (!server)
		return -1;
	if (!table_find(&run->project->tables[KIND_PLACEMENT_GROUP], id))
		return problem_set(run->problem, PROBLEM_NOT_FOUND, "placement group not found");
	doc_set_int(server, "_placement_group", id);
	return 0;
}

int server_group_left(const struct action_run *run)
{
	json_t *server = server_target(run);

	if (!server)
		return -1;
	doc_set_int(server, "_placement_group", 0);
	return 0;
}

/* 201 {"action", "root_password"}. */
static int begin_with_password(struct call *call, const char *command)
{
	const json_t *server = server_unlocked(call);
	char password[SERVER_PASSWORD_CHARS + 1];

	if (!server)
		return -1;
	const struct action_request request = {
		.command = command,
		.resources = {{KIND_SERVER, doc_id(server)}},
	};
	const json_t *action = action_begin(call->sim, call->project, &request);
	base62_random(password, SERVER_PASSWORD_CHARS);
	return call_reply(call, 201,
			  json_pack("{s:o,s:s}", "action",
				    action_view(call->sim, call->project, action), "root_password",
				    password));
}

static int enable_rescue(struct call *call)
{
	return begin_with_password(call, "enable_rescue");
}

static int reset_password(struct call *call)
{
	return begin_with_password(call, "reset_password");
}

static int begin_plain(struct call *call, const char *command)
{
	const json_t *server = server_unlocked(call);

	return server ? server_begin(call, server, command, NULL) : -1;
}

static int disable_rescue(struct call *call)
{
	return begin_plain(call, "disable_rescue");
}

static int enable_backup(struct call *call)
{
	return begin_plain(call, "enable_backup");
}

static int disable_backup(struct call *call)
{
	return begin_plain(call, "disable_backup");
}

static int set_member(const struct action_run *run, const char *name, json_t *value)
{
	json_t *server = server_target(run);

	if (!server) {
		json_decref(value);
		return -1;
	}
	doc_set(server, name, value);
	return 0;
}

int server_rescue_enabled(const struct action_run *run)
{
	return set_member(run, "rescue_enabled", json_true());
}

int server_rescue_disabled(const struct action_run *run)
{
	return set_member(run, "rescue_enabled", json_false());
}

int server_backup_enabled(const struct action_run *run)
{
	return set_member(run, "backup_window", json_string(BACKUP_WINDOW));
}

int server_backup_disabled(const struct action_run *run)
{
	return set_member(run, "backup_window", json_null());
}

/* Nobody answers at that address. */
static int request_console(struct call *call)
{
	const json_t *server = server_unlocked(call);
	char ticket[TICKET_CHARS + 1];
	char password[SERVER_PASSWORD_CHARS + 1];
	char url[URL_BYTES];

	if (!server)
		return -1;
	const struct action_request request = {
		.command = "request_console",
		.resources = {{KIND_SERVER, doc_id(server)}},
	};
	const json_t *action = action_begin(call->sim, call->project, &request);
	base62_random(ticket, TICKET_CHARS);
	base62_random(password, SERVER_PASSWORD_CHARS);
	(void)snprintf(url, sizeof(url),
		       "wss://console.hetzner.cloud/?server_id=%" PRId64 "&token=%s",
		       doc_id(server), ticket);
	return call_reply(call, 201,
			  json_pack("{s:o,s:s,s:s}", "action",
				    action_view(call->sim, call->project, action), "wss_url", url,
				    "password", password));
}

static int change_protection(struct call *call)
{
	const json_t *server = call_find(call, KIND_SERVER, 0);

	return server ? protection_change(call, KIND_SERVER, server) : -1;
}

const struct route server_misc_routes[] = {
	{"POST", "/servers/{id}/actions/add_to_placement_group", add_to_placement_group},
	{"POST", "/servers/{id}/actions/remove_from_placement_group", remove_from_placement_group},
	{"POST", "/servers/{id}/actions/enable_rescue", enable_rescue},
	{"POST", "/servers/{id}/actions/disable_rescue", disable_rescue},
	{"POST", "/servers/{id}/actions/reset_password", reset_password},
	{"POST", "/servers/{id}/actions/enable_backup", enable_backup},
	{"POST", "/servers/{id}/actions/disable_backup", disable_backup},
	{"POST", "/servers/{id}/actions/request_console", request_console},
	{"POST", "/servers/{id}/actions/change_protection", change_protection},
	{NULL, NULL, NULL},
};
