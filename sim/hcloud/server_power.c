#include "hcloud/server_power.h"

#include "base/str.h"
#include "hcloud/attachment.h"
#include "hcloud/machines.h"
#include "hcloud/primary_ip.h"
#include "hcloud/server.h"

static bool is_on(const json_t *server)
{
	const char *status = doc_str(server, "status");

	return str_eq(status, "running") || str_eq(status, "starting");
}

/* `passing` is the status while the action runs, for a server that is on or off as said. */
static int change_power(struct call *call, const char *command, bool from_on, const char *passing)
{
	json_t *server = server_unlocked(call);

	if (!server)
		return -1;
	if (passing && is_on(server) == from_on)
		doc_set_str(server, "status", passing);
	return server_begin(call, server, command, NULL);
}

static int power_on(struct call *call)
{
	return change_power(call, "start_server", false, "starting");
}

static int power_off(struct call *call)
{
	return change_power(call, "stop_server", true, "stopping");
}

/* Success says that the button was pressed, not that the system obeyed. */
static int shut_down(struct call *call)
{
	return change_power(call, "shutdown_server", true, NULL);
}

static int reboot(struct call *call)
{
	return change_power(call, "reboot_server", true, NULL);
}

static int reset(struct call *call)
{
	return change_power(call, "reset_server", true, NULL);
}

static bool has_interface(const struct project *project, const json_t *server)
{
	int64_t id = doc_id(server);

	return primary_ip_of_server(project, id, IP_V4) ||
	       primary_ip_of_server(project, id, IP_V6) || attachment_count(server) > 0;
}

int server_started(const struct action_run *run)
{
	json_t *server = server_target(run);

	if (!server)
		return -1;
	if (str_eq(doc_str(server, "status"), "running"))
		return 0;
	if (!has_interface(run->project, server))
		return problem_set(run->problem, PROBLEM_INVALID_INPUT,
				   "no public or private network interfaces found, cannot start "
				   "server");
	if (machines_power_on(run->sim, run->project, server, run->problem) < 0)
		return -1;
	doc_set_str(server, "status", "running");
	return 0;
}

int server_stopped(const struct action_run *run)
{
	json_t *server = server_target(run);

	if (!server)
		return -1;
	(void)machines_power_off(run->sim, server, false);
	doc_set_str(server, "status", "off");
	return 0;
}

int server_shut_down(const struct action_run *run)
{
	json_t *server = server_target(run);

	if (!server)
		return -1;
	/* A machine takes its time, or does not listen at all. */
	if (is_on(server) && !machines_shut_down(run->sim, server, false))
		doc_set_str(server, "status", "off");
	return 0;
}

/* Without a machine there is nothing to be seen of it. */
int server_rebooted(const struct action_run *run)
{
	json_t *server = server_target(run);

	if (!server)
		return -1;
	if (is_on(server))
		(void)machines_shut_down(run->sim, server, true);
	return 0;
}

int server_was_reset(const struct action_run *run)
{
	json_t *server = server_target(run);

	if (!server)
		return -1;
	if (is_on(server))
		(void)machines_power_off(run->sim, server, true);
	return 0;
}

const struct route server_power_routes[] = {
	{"POST", "/servers/{id}/actions/poweron", power_on},
	{"POST", "/servers/{id}/actions/poweroff", power_off},
	{"POST", "/servers/{id}/actions/shutdown", shut_down},
	{"POST", "/servers/{id}/actions/reboot", reboot},
	{"POST", "/servers/{id}/actions/reset", reset},
	{NULL, NULL, NULL},
};
