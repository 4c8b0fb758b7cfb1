/* Checks of the workers' servers at the provider. */
#include "base/str.h"
#include "cloud/hetzner.h"
#include "core/id.h"
#include "core/label.h"
#include "setup/doctor.h"
#include "setup/network_look.h"
#include "store/pg.h"
#include "store/queries.h"

#define STARTING_MS  (15LL * 60 * 1000) /* longer than the slowest boot of a private-only server */
#define ORPHAN_MS    (15LL * 60 * 1000)
#define ATTACHING_MS (5LL * 60 * 1000)

static bool is_worker(const struct hetzner_server *server)
{
	return network_look_is_ours(&server->labels) &&
	       hetzner_label_get(&server->labels, LABEL_WORKER) != NULL;
}

static int64_t age_ms(struct doctor *doctor, const struct hetzner_server *server)
{
	return (doctor_provider_now_us(doctor) - server->created_us) / 1000;
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

static bool is_starting(const struct hetzner_server *server)
{
	return server->status == HETZNER_SERVER_INITIALIZING ||
	       server->status == HETZNER_SERVER_STARTING ||
	       server->status == HETZNER_SERVER_UNKNOWN;
}

/* One that starts may have its address still to come: if it hangs, check_stuck names it. */
static void check_private_ip(struct doctor *doctor, struct finding *ret)
{
	const struct network_look *look = NULL;
	const struct env_values *env = NULL;
	struct error err = {0};
	struct tally without = {0};
	size_t worker_count = 0;

	if (!doctor_need_look(doctor, &look, ret))
		return;
	if (look->network == NULL || doctor_env(doctor, &env, NULL, &err) < 0 ||
	    env->network_id[0] == '\0') {
		finding_skipped(ret, "the private network is not switched on");
		return;
	}
	for (size_t i = 0; i < look->servers.count; i++) {
		const struct hetzner_server *server = &look->servers.items[i];
		if (!is_worker(server) || is_starting(server) ||
		    age_ms(doctor, server) < ATTACHING_MS)
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

	if (!doctor_need_look(doctor, &look, ret))
		return;
	for (size_t i = 0; i < look->servers.count; i++) {
		const struct hetzner_server *server = &look->servers.items[i];
		if (is_worker(server) && is_starting(server) &&
		    age_ms(doctor, server) > STARTING_MS)
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

	if (!doctor_need_look(doctor, &look, ret))
		return;
	for (size_t i = 0; i < look->servers.count; i++) {
		const struct hetzner_server *server = &look->servers.items[i];
		if (is_worker(server) && server->status == HETZNER_SERVER_OFF &&
		    age_ms(doctor, server) > STARTING_MS)
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

/* The number in the label that names a server's worker; 0 when it is none. */
static int64_t worker_id_of(const struct hetzner_server *server)
{
	const char *text = hetzner_label_get(&server->labels, LABEL_WORKER);
	int64_t low = 0;
	int64_t high = 0;

	return text != NULL && id_parse(ID_WORKER, text, &low, &high) && low == high ? low : 0;
}

/* Columns of doctor_living_workers. */
enum { LIVING_ID, LIVING_NAME, LIVING_SERVER, LIVING_IS_OLD };

static bool is_alive(const PGresult *living, int64_t worker_id)
{
	for (int row = 0; row < PQntuples(living); row++) {
		if (pg_get_i64(living, row, LIVING_ID) == worker_id)
			return true;
	}
	return false;
}

static bool is_of_grid(const struct hetzner_server *server, const char *grid)
{
	const char *label = hetzner_label_get(&server->labels, LABEL_GRID);

	return is_worker(server) && label != NULL && str_eq(label, grid);
}

/* False when it cannot be told, and *ret is a skip with the reason. */
static bool ask_database(struct doctor *doctor, PGresult **grid, PGresult **living,
			 struct finding *ret)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	struct pg *pg = NULL;
	struct error err = {0};

	pg_param_i64(&params, ORPHAN_MS);
	if (!doctor_need_schema(doctor, &pg, ret))
		return false;
	if (pg_run(pg, &query_doctor_grid, NULL, grid, &err) < 0 || PQntuples(*grid) != 1 ||
	    pg_run(pg, &query_doctor_living_workers, &params, living, &err) < 0) {
		finding_skipped(ret, "%s", err.msg);
		return false;
	}
	return true;
}

static void check_orphans(struct doctor *doctor, struct finding *ret)
{
	CLEANUP(cleanup_pgresult) PGresult *grid = NULL;
	CLEANUP(cleanup_pgresult) PGresult *living = NULL;
	const struct network_look *look = NULL;
	struct tally orphans = {0};
	size_t own_count = 0;

	if (!doctor_need_look(doctor, &look, ret) || !ask_database(doctor, &grid, &living, ret))
		return;
	const char *id = pg_get_text(grid, 0, 0);
	for (size_t i = 0; i < look->servers.count; i++) {
		const struct hetzner_server *server = &look->servers.items[i];
		if (!is_of_grid(server, id))
			continue;
		own_count++;
		if (age_ms(doctor, server) > ORPHAN_MS && !is_alive(living, worker_id_of(server)))
			tally_add(&orphans, server);
	}
	if (orphans.count == 0) {
		finding_ok(ret, "each of the %zu servers of grid %s has a living worker, or is new",
			   own_count, id);
		return;
	}
	finding_broken(ret, "%zu of %zu servers of grid %s belong to no living worker: %s%s",
		       orphans.count, own_count, id, orphans.first, orphans.count > 1 ? ", …" : "");
	finding_fix(ret,
		    "they are billed for nothing; a running orchestrator deletes them, by "
		    "hand: hcloud server delete %s",
		    orphans.first);
}

static bool is_listed(const struct network_look *look, int64_t server_id)
{
	for (size_t i = 0; i < look->servers.count; i++) {
		if (look->servers.items[i].id == server_id)
			return true;
	}
	return false;
}

/* The listing is older than the rows: a young worker's server may not be in it yet. */
static void check_missing(struct doctor *doctor, struct finding *ret)
{
	CLEANUP(cleanup_pgresult) PGresult *grid = NULL;
	CLEANUP(cleanup_pgresult) PGresult *living = NULL;
	const struct network_look *look = NULL;
	const char *first = "";
	size_t count = 0;

	if (!doctor_orders_servers(doctor)) {
		finding_skipped(ret, "workers have no servers of the provider's");
		return;
	}
	if (!doctor_need_look(doctor, &look, ret) || !ask_database(doctor, &grid, &living, ret))
		return;
	for (int row = 0; row < PQntuples(living); row++) {
		if (pg_get_text_or_null(living, row, LIVING_SERVER) == NULL ||
		    !pg_get_bool(living, row, LIVING_IS_OLD) ||
		    is_listed(look, pg_get_i64(living, row, LIVING_SERVER)))
			continue;
		first = count++ == 0 ? pg_get_text(living, row, LIVING_NAME) : first;
	}
	if (count == 0) {
		finding_ok(ret, "none of %d living workers lacks its server", PQntuples(living));
		return;
	}
	finding_broken(ret, "%zu of %d living workers have no server in the project: %s%s", count,
		       PQntuples(living), first, count > 1 ? ", …" : "");
	finding_fix(ret,
		    "is the token another project's? Else a running orchestrator gives them up, "
		    "and queues their jobs again");
}

static const struct check checks[] = {
	{"fleet-orphans", "servers without a worker", check_orphans},
	{"fleet-missing", "workers without a server", check_missing},
	{"fleet-private-ip", "private addresses of the workers", check_private_ip},
	{"fleet-stuck", "workers that start", check_stuck},
	{"fleet-off", "workers that are off", check_off},
};

const struct check_table doctor_fleet = {"fleet", checks, ARRAY_SIZE(checks)};
