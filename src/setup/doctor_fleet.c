/* Checks of the workers' servers at the provider. */
#include "base/clock.h"
#include "base/str.h"
#include "cloud/hetzner.h"
#include "core/label.h"
#include "setup/doctor.h"
#include "setup/network_look.h"

#define STARTING_MS  (15LL * 60 * 1000) /* longer than the slowest boot of a private-only server */
#define ATTACHING_MS (5LL * 60 * 1000)

static bool is_worker(const struct hetzner_server *server)
{
	return network_look_is_ours(&server->labels) &&
	       hetzner_label_get(&server->labels, LABEL_WORKER) != NULL;
}

static int64_t age_ms(const struct hetzner_server *server)
{
	return (clock_wall_us() - server->created_us) / 1000;
}

/* How many there are, and the name of one. */
struct tally {
	size_t count;
	const char *first;
};

static void tally_add(struct tally *tally, const struct hetzner_server *server)
{
	if (tally->count++ == 0)
		tally->first = server->name;
}

static bool need_look(struct doctor *doctor, const struct network_look **look, struct finding *ret)
{
	struct error err = {0};

	if (doctor_look(doctor, look, &err) == 0)
		return true;
	finding_skipped(ret, err.code == ERR_UNAUTHENTICATED ? "there is no token that is valid"
							     : "the API does not answer");
	return false;
}

static void check_private_ip(struct doctor *doctor, struct finding *ret)
{
	const struct network_look *look = NULL;
	const struct env_values *env = NULL;
	struct error err = {0};
	struct tally without = {0};
	size_t worker_count = 0;

	if (!need_look(doctor, &look, ret))
		return;
	if (look->network == NULL || doctor_env(doctor, &env, NULL, &err) < 0 ||
	    env->network_id[0] == '\0') {
		finding_skipped(ret, "the private network is not switched on");
		return;
	}
	for (size_t i = 0; i < look->servers.count; i++) {
		const struct hetzner_server *server = &look->servers.items[i];
		if (!is_worker(server) || age_ms(server) < ATTACHING_MS)
			continue;
		worker_count++;
		if (network_look_address(server, look->network->id)[0] == '\0')
			tally_add(&without, server);
	}
	if (without.count == 0) {
		finding_ok(ret, "%zu workers have one", worker_count);
		return;
	}
	finding_broken(ret, "%zu of %zu workers are not in network %s: %s%s", without.count,
		       worker_count, look->network->name, without.first,
		       without.count > 1 ? ", …" : "");
	finding_fix(ret, "they were created with another network or none: restart the orchestrator "
			 "if its environment was changed, and delete them");
}

static void check_stuck(struct doctor *doctor, struct finding *ret)
{
	const struct network_look *look = NULL;
	struct tally stuck = {0};

	if (!need_look(doctor, &look, ret))
		return;
	for (size_t i = 0; i < look->servers.count; i++) {
		const struct hetzner_server *server = &look->servers.items[i];
		bool starting = server->status == HETZNER_SERVER_INITIALIZING ||
				server->status == HETZNER_SERVER_STARTING ||
				server->status == HETZNER_SERVER_UNKNOWN;
		if (is_worker(server) && starting && age_ms(server) > STARTING_MS)
			tally_add(&stuck, server);
	}
	if (stuck.count == 0) {
		finding_ok(ret, "none hangs while it starts");
		return;
	}
	finding_warn(ret, "%zu worker%s for over %lld min: %s%s", stuck.count,
		     stuck.count == 1 ? " starts" : "s start", STARTING_MS / 60000, stuck.first,
		     stuck.count > 1 ? ", …" : "");
	finding_fix(ret,
		    "the orchestrator replaces them while it runs; by hand: hcloud server "
		    "delete %s",
		    stuck.first);
}

static void check_off(struct doctor *doctor, struct finding *ret)
{
	const struct network_look *look = NULL;
	struct tally off = {0};

	if (!need_look(doctor, &look, ret))
		return;
	for (size_t i = 0; i < look->servers.count; i++) {
		const struct hetzner_server *server = &look->servers.items[i];
		if (is_worker(server) && server->status == HETZNER_SERVER_OFF &&
		    age_ms(server) > STARTING_MS)
			tally_add(&off, server);
	}
	if (off.count == 0) {
		finding_ok(ret, "none is billed while it is off");
		return;
	}
	finding_warn(ret, "%zu worker%s off and billed all the same: %s%s", off.count,
		     off.count == 1 ? " is" : "s are", off.first, off.count > 1 ? ", …" : "");
	finding_fix(ret, "hcloud server delete %s", off.first);
}

static const struct check checks[] = {
	{"fleet-private-ip", "private addresses of the workers", check_private_ip},
	{"fleet-stuck", "workers that start", check_stuck},
	{"fleet-off", "workers that are off", check_off},
};

const struct check_table doctor_fleet = {"fleet", checks, ARRAY_SIZE(checks)};
