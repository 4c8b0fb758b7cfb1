#include "hcloud/machines.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "base/str.h"
#include "hcloud/attachment.h"
#include "hcloud/machine.h"
#include "hcloud/network.h"
#include "hcloud/primary_ip.h"
#include "hcloud/settle.h"

#define GIB (1024ULL * 1024 * 1024)

/* A spec with the memory behind its strings. */
struct spec {
	struct machine_spec machine;
	struct machine_private_net nets[SERVER_NETWORKS_MAX];
	char gateways[SERVER_NETWORKS_MAX][IPV4_RANGE_BYTES];
	char subnets[SERVER_NETWORKS_MAX][IPV4_RANGE_BYTES];
	const char *aliases[SERVER_NETWORKS_MAX][SERVER_ALIASES_MAX + 1];
	const char **ssh_keys;
};

/* Fills the index-th private net; false when its network is gone. */
static bool fill_net(const struct project *project, const json_t *attachment, size_t index,
		     struct spec *ret)
{
	const json_t *network =
		table_find(&project->tables[KIND_NETWORK], doc_int(attachment, "network"));
	const json_t *aliases = json_object_get(attachment, "alias_ips");
	struct network_plan plan;
	uint32_t ip;

	if (!network || !ip_read(doc_str(attachment, "ip"), &ip))
		return false;
	network_plan_read(network, &plan);
	const struct subnet *subnet = network_subnet_of(&plan, ip);
	if (!subnet)
		return false;
	for (size_t i = 0; i < json_array_size(aliases) && i < SERVER_ALIASES_MAX; i++)
		ret->aliases[index][i] = json_string_value(json_array_get(aliases, i));
	ret->nets[index] = (struct machine_private_net){
		.network_id = doc_id(network),
		.network_name = doc_str(network, "name"),
		.network_range = doc_str(network, "ip_range"),
		.subnet_range = ip_range_format(&subnet->range, ret->subnets[index]),
		.gateway = ipv4_format(network_gateway(&plan), ret->gateways[index]),
		.ip = doc_str(attachment, "ip"),
		.mac_address = doc_str(attachment, "mac_address"),
		.alias_ips = ret->aliases[index],
	};
	return true;
}

static void fill_nets(const struct project *project, const json_t *server, struct spec *ret)
{
	const json_t *nets = json_object_get(server, "_nets");
	size_t count = 0;

	for (size_t i = 0; i < json_array_size(nets) && count < SERVER_NETWORKS_MAX; i++) {
		const json_t *attachment = json_array_get(nets, i);

		if (!doc_bool(attachment, "pending") && fill_net(project, attachment, count, ret))
			count++;
	}
	ret->machine.private_nets = ret->nets;
	ret->machine.private_net_count = count;
}

static void fill_keys(const json_t *server, struct spec *ret)
{
	const json_t *keys = json_object_get(server, "_ssh_keys");
	size_t count = json_array_size(keys);

	ret->ssh_keys = xcalloc(count + 1, sizeof(char *));
	for (size_t i = 0; i < count; i++)
		ret->ssh_keys[i] = json_string_value(json_array_get(keys, i));
	ret->machine.ssh_keys = ret->ssh_keys;
}

static const json_t *strike(struct sim *sim, enum fault_kind kind, const json_t *server)
{
	return faults_strike(
		&sim->faults, kind,
		(const struct fault_subject[]){{"server", doc_str(server, "name")}, {NULL, NULL}});
}

static void fill_faults(struct sim *sim, const json_t *server, struct machine_spec *ret)
{
	const json_t *boot = strike(sim, FAULT_BOOT, server);
	const json_t *nic = strike(sim, FAULT_PRIVATE_NIC, server);

	if (boot) {
		ret->boot_delay_ms = (uint64_t)fault_int(boot, "ms", 0);
		ret->boot_fails = fault_int(boot, "fail", 0) != 0;
	}
	if (nic)
		ret->private_net_delay_ms = (uint64_t)fault_int(nic, "ms", 0);
}

/* The id of an image that has a disk; those of the system are what machines lie on anyway. */
static int64_t image_with_disk(struct sim *sim, int64_t image_id)
{
	return table_find(&sim->catalog[KIND_IMAGE], image_id) ? 0 : image_id;
}

static void fill(struct sim *sim, struct project *project, const json_t *server, struct spec *ret)
{
	const json_t *type = table_find(&sim->catalog[KIND_SERVER_TYPE], doc_int(server, "_type"));
	const json_t *location =
		table_find_name(&sim->catalog[KIND_LOCATION], doc_str(server, "_location"));
	const json_t *ipv4 = primary_ip_of_server(project, doc_id(server), IP_V4);
	const json_t *ipv6 = primary_ip_of_server(project, doc_id(server), IP_V6);
	const json_t *user_data = json_object_get(server, "_user_data");

	CHECK(type != NULL && location != NULL);
	*ret = (struct spec){
		.machine =
			{
				.server_id = doc_id(server),
				.name = doc_str(server, "name"),
				.location = doc_str(location, "name"),
				.network_zone = doc_str(location, "network_zone"),
				.public_ipv4 = ipv4 ? doc_str(ipv4, "ip") : NULL,
				.public_ipv6 = ipv6 ? doc_str(ipv6, "ip") : NULL,
				.user_data = json_string_value(user_data),
				.user_data_bytes = json_string_length(user_data),
				.image_id = image_with_disk(sim, doc_int(server, "_image")),
				.cores = (uint64_t)doc_int(type, "cores"),
				.memory_bytes = GIB * (uint64_t)json_number_value(
							      json_object_get(type, "memory")),
			},
	};
	fill_nets(project, server, ret);
	fill_keys(server, ret);
	fill_faults(sim, server, &ret->machine);
}

static int failed(struct problem *problem, const struct error *err)
{
	log_warning("sim.machine_failed", F_ERROR(err));
	return problem_set(problem, PROBLEM_SERVER_ERROR, "%s", err->msg);
}

static int set_routes(struct sim *sim, const json_t *network, bool is_gone, struct error *err)
{
	const json_t *routes = json_object_get(network, "routes");
	size_t count = is_gone ? 0 : json_array_size(routes);
	struct machine_route told[NETWORK_ROUTES_MAX];

	for (size_t i = 0; i < count && i < NETWORK_ROUTES_MAX; i++) {
		told[i].destination = doc_str(json_array_get(routes, i), "destination");
		told[i].gateway = doc_str(json_array_get(routes, i), "gateway");
	}
	return machine_set_routes(sim->machines, doc_id(network), told, count, err);
}

/* Before a machine joins: after a restart nobody has told yet. */
static int tell_routes(struct sim *sim, const struct project *project, int64_t network_id,
		       struct error *err)
{
	const json_t *network = table_find(&project->tables[KIND_NETWORK], network_id);

	return network ? set_routes(sim, network, false, err) : 0;
}

int machines_power_on(struct sim *sim, struct project *project, json_t *server,
		      struct problem *problem)
{
	struct error err;
	struct spec spec;

	if (!sim->machines)
		return 0;
	if (doc_bool(server, "_machine_on")) {
		doc_set_bool(server, "_restart", true);
		return 0;
	}
	fill(sim, project, server, &spec);
	int result = 0;
	for (uint64_t i = 0; i < spec.machine.private_net_count && result == 0; i++)
		result = tell_routes(sim, project, spec.nets[i].network_id, &err);
	if (result == 0)
		result = machine_power_on(sim->machines, &spec.machine, &err);
	free(spec.ssh_keys);
	if (result < 0)
		return failed(problem, &err);
	doc_set_bool(server, "_machine_on", true);
	doc_set_bool(server, "_booted", false);
	doc_set_bool(server, "_restart", false);
	return 0;
}

bool machines_power_off(struct sim *sim, json_t *server, bool restarts)
{
	if (!doc_bool(server, "_machine_on"))
		return false;
	doc_set_bool(server, "_restart", restarts);
	machine_power_off(sim->machines, doc_id(server));
	return true;
}

bool machines_shut_down(struct sim *sim, json_t *server, bool restarts)
{
	if (!doc_bool(server, "_machine_on"))
		return false;
	doc_set_bool(server, "_restart", restarts);
	machine_shut_down(sim->machines, doc_id(server));
	return true;
}

int machines_attach(struct sim *sim, struct project *project, const json_t *server,
		    int64_t network_id, struct problem *problem)
{
	const json_t *attachment = attachment_find(server, network_id);
	struct spec spec = {.ssh_keys = NULL};
	struct error err;

	if (!sim->machines || !attachment || !fill_net(project, attachment, 0, &spec))
		return 0;
	if (tell_routes(sim, project, network_id, &err) < 0 ||
	    machine_attach(sim->machines, doc_id(server), &spec.nets[0], &err) < 0)
		return failed(problem, &err);
	return 0;
}

void machines_detach(struct sim *sim, const json_t *server, int64_t network_id)
{
	if (sim->machines)
		machine_detach(sim->machines, doc_id(server), network_id);
}

void machines_delete(struct sim *sim, json_t *server)
{
	if (sim->machines)
		machine_delete(sim->machines, doc_id(server));
	doc_set_bool(server, "_machine_on", false);
}

int machines_set_aliases(struct sim *sim, const json_t *server, int64_t network_id,
			 struct problem *problem)
{
	const json_t *attachment = attachment_find(server, network_id);
	const json_t *aliases = json_object_get(attachment, "alias_ips");
	const char *told[SERVER_ALIASES_MAX + 1] = {NULL};
	struct error err;

	if (!sim->machines || !attachment || doc_bool(attachment, "pending"))
		return 0;
	for (size_t i = 0; i < json_array_size(aliases) && i < SERVER_ALIASES_MAX; i++)
		told[i] = json_string_value(json_array_get(aliases, i));
	if (machine_set_aliases(sim->machines, doc_id(server), network_id, told, &err) < 0)
		return failed(problem, &err);
	return 0;
}

int machines_set_routes(struct sim *sim, const json_t *network, bool is_gone,
			struct problem *problem)
{
	struct error err;

	if (sim->machines && set_routes(sim, network, is_gone, &err) < 0)
		return failed(problem, &err);
	return 0;
}

int machines_snapshot(struct sim *sim, const json_t *server, const json_t *image,
		      struct problem *problem)
{
	int64_t base_image_id = image_with_disk(sim, doc_int(server, "_image"));
	struct error err;

	if (sim->machines &&
	    machine_snapshot(sim->machines, doc_id(server), base_image_id, doc_id(image), &err) < 0)
		return failed(problem, &err);
	return 0;
}

int machines_snapshot_result(struct sim *sim, const json_t *image, struct problem *problem)
{
	if (!sim->machines)
		return 0;
	switch (machine_image_state(sim->machines, doc_id(image))) {
	case MACHINE_IMAGE_READY:
		return 0;
	case MACHINE_IMAGE_COPYING:
		return 1;
	case MACHINE_IMAGE_ABSENT:
	case MACHINE_IMAGE_FAILED:
		break;
	}
	return problem_set(problem, PROBLEM_ACTION_FAILED, "the disk could not be copied");
}

/* Also of servers whose image is deleted: they may begin anew. */
static size_t count_needed(const struct sim *sim)
{
	size_t count = 0;

	for (size_t i = 0; i < sim->project_count; i++)
		count += sim->projects[i]->tables[KIND_IMAGE].count +
			 sim->projects[i]->tables[KIND_SERVER].count;
	return count;
}

static int keep_images(struct sim *sim, struct error *err)
{
	CLEANUP(cleanup_free)
	int64_t *ids = xcalloc(count_needed(sim) + 1, sizeof(*ids));
	size_t count = 0;

	for (size_t i = 0; i < sim->project_count; i++) {
		const struct table *images = &sim->projects[i]->tables[KIND_IMAGE];
		const struct table *servers = &sim->projects[i]->tables[KIND_SERVER];

		for (size_t j = 0; j < images->count; j++)
			ids[count++] = doc_id(images->docs[j]);
		for (size_t j = 0; j < servers->count; j++)
			ids[count++] = doc_int(servers->docs[j], "_image");
	}
	return machine_keep_images(sim->machines, ids, count, err);
}

void machines_forget_images(struct sim *sim)
{
	struct error err;

	/* What cannot be removed now is removed another time. */
	if (sim->machines && keep_images(sim, &err) < 0)
		log_warning("sim.image_left", F_ERROR(&err));
}

int machines_partition(struct sim *sim, const json_t *server, int64_t network_id, bool cut,
		       struct error *err)
{
	if (!sim->machines)
		return error_set(err, ERR_CONFLICT, "there are no machines: --machines none");
	if (network_id != 0 && !attachment_find(server, network_id))
		return error_set(err, ERR_NOT_FOUND, "the server is not in network %" PRId64,
				 network_id);
	return machine_partition(sim->machines, doc_id(server), network_id, cut, err);
}

json_t *machines_find(struct sim *sim, int64_t server_id, struct project **ret_project)
{
	for (size_t i = 0; i < sim->project_count; i++) {
		json_t *server = table_find(&sim->projects[i]->tables[KIND_SERVER], server_id);

		if (ret_project)
			*ret_project = sim->projects[i];
		if (server)
			return server;
	}
	return NULL;
}

/* Off, unless it was to come on again. */
static void on_stopped(struct sim *sim, struct project *project, json_t *server)
{
	struct problem problem;
	bool restarts = doc_bool(server, "_restart");

	doc_set_bool(server, "_machine_on", false);
	doc_set_bool(server, "_booted", false);
	if (!restarts || machines_power_on(sim, project, server, &problem) < 0)
		doc_set_str(server, "status", "off");
}

static void on_event(void *context, int64_t server_id, enum machine_event event)
{
	struct sim *sim = context;
	struct project *project = NULL;
	json_t *server = machines_find(sim, server_id, &project);

	if (!server)
		return;
	switch (event) {
	case MACHINE_BOOTED:
		doc_set_bool(server, "_booted", true);
		break;
	case MACHINE_STOPPED:
		on_stopped(sim, project, server);
		break;
	}
	settle(sim);
}

/* From a saved state: what ran, runs again, on a fresh disk. */
static int start_saved(struct sim *sim, struct project *project, struct error *err)
{
	const struct table *servers = &project->tables[KIND_SERVER];
	struct problem problem;

	for (size_t i = 0; i < servers->count; i++) {
		json_t *server = servers->docs[i];

		doc_set_bool(server, "_machine_on", false);
		if (str_eq(doc_str(server, "status"), "running") &&
		    machines_power_on(sim, project, server, &problem) < 0)
			return error_set(err, ERR_INTERNAL, "server %s: %s",
					 doc_str(server, "name"), problem.message);
	}
	return 0;
}

int machines_start(struct sim *sim, const char *backend, const char *root_tree,
		   const char *directory, const char *instance, struct error *err)
{
	const struct machine_backend_options options = {
		.event = sim->event,
		.instance = instance,
		.directory = directory,
		.root_tree = root_tree,
		.keeps_images = sim->state_path != NULL,
		.on_event = on_event,
		.context = sim,
	};

	if (str_eq(backend, "none"))
		return 0;
	if (!str_eq(backend, "netns"))
		return error_set(err, ERR_INVALID, "--machines is none or netns, not \"%s\"",
				 backend);
	if (!root_tree || !directory)
		return error_set(err, ERR_INVALID,
				 "--machines netns needs --machine-root and --machine-dir");
	if (machine_backend_new_netns(&options, &sim->machines, err) < 0 ||
	    keep_images(sim, err) < 0)
		return -1;
	for (size_t i = 0; i < sim->project_count; i++) {
		if (start_saved(sim, sim->projects[i], err) < 0)
			return -1;
	}
	return 0;
}

int machines_clean(const char *directory, const char *instance, struct error *err)
{
	if (!directory)
		return error_set(err, ERR_INVALID, "--clean needs --machine-dir");
	return machine_clean_netns(instance, directory, err);
}

void machines_stop(struct sim *sim)
{
	if (sim->machines)
		machine_backend_free(sim->machines);
	sim->machines = NULL;
}
