/* Checks of what the orchestrator says of itself in the database: whether one leads, and what keeps
 * it from making workers of servers. */
#include <sys/stat.h>

#include "base/str.h"
#include "setup/bundle.h"
#include "setup/doctor.h"
#include "store/pg.h"
#include "store/queries.h"

#define STARTING_MS (15LL * 60 * 1000) /* longer than the slowest boot of a private-only server */
#define API_ENV	    "api.env"

/* The query's only row. False: *ret is a skip with the reason. */
static bool ask(struct doctor *doctor, const struct pg_statement *query,
		const struct pg_params *params, PGresult **row, struct finding *ret)
{
	struct pg *pg = NULL;
	struct error err = {0};

	if (!doctor_need_schema(doctor, &pg, ret))
		return false;
	if (pg_run(pg, query, params, row, &err) == 0 && PQntuples(*row) == 1)
		return true;
	finding_skipped(ret, "%s", err.msg);
	return false;
}

/* Columns of doctor_leader. */
enum { LEADER_FENCE, LEADER_LEADS, LEADER_HAS_SESSION, LEADER_HOLDER, LEADER_UNTIL, LEADER_SINCE };

static void check_leader(struct doctor *doctor, struct finding *ret)
{
	CLEANUP(cleanup_pgresult) PGresult *row = NULL;

	if (!ask(doctor, &query_doctor_leader, NULL, &row, ret))
		return;
	const char *holder = pg_get_text(row, 0, LEADER_HOLDER);
	if (pg_get_bool(row, 0, LEADER_LEADS)) {
		finding_ok(ret, "%s leads", holder);
		return;
	}
	if (pg_get_i64(row, 0, LEADER_FENCE) == 0 && !doctor_orders_servers(doctor)) {
		finding_skipped(ret, "none has led yet, and none is to order servers");
		return;
	}
	if (pg_get_i64(row, 0, LEADER_FENCE) == 0)
		finding_broken(ret, "no orchestrator has led yet: no server is ordered or deleted");
	else if (pg_get_bool(row, 0, LEADER_HAS_SESSION))
		finding_broken(ret, "%s has led until %s UTC, and hangs: its session is open",
			       holder, pg_get_text(row, 0, LEADER_UNTIL));
	else
		finding_broken(ret, "no orchestrator leads: %s, the last, is gone", holder);
	finding_fix(ret,
		    "systemctl restart rgrid-orchestrator; journalctl -u rgrid-orchestrator says "
		    "why it ended");
}

static int64_t changed_wall_us(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 ? (int64_t)status.st_mtim.tv_sec * 1000000 : 0;
}

/* It reads its files when it starts, before it opens the session by which it leads. */
static void check_current(struct doctor *doctor, struct finding *ret)
{
	CLEANUP(cleanup_pgresult) PGresult *row = NULL;
	CLEANUP(cleanup_free) char *token_file = doctor_token_file(doctor);
	const char *const files[] = {doctor_options(doctor)->env_file, token_file};

	if (!ask(doctor, &query_doctor_leader, NULL, &row, ret))
		return;
	if (!pg_get_bool(row, 0, LEADER_LEADS) ||
	    pg_get_text_or_null(row, 0, LEADER_SINCE) == NULL) {
		finding_skipped(ret, "none leads, or its session is not for us to see");
		return;
	}
	finding_ok(ret, "older than the orchestrator that leads");
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		if (changed_wall_us(files[i]) <= pg_get_i64(row, 0, LEADER_SINCE))
			continue;
		finding_warn(ret,
			     "%s was changed since the orchestrator that leads has started: it "
			     "does not know",
			     files[i]);
		finding_fix(ret, "systemctl restart rgrid-orchestrator");
	}
}

static void check_paused(struct doctor *doctor, struct finding *ret)
{
	enum { PAUSED, REASON };
	CLEANUP(cleanup_pgresult) PGresult *row = NULL;

	if (!ask(doctor, &query_doctor_holds, NULL, &row, ret))
		return;
	const char *since = pg_get_text_or_null(row, 0, PAUSED);
	const char *reason = pg_get_text(row, 0, REASON);
	if (since == NULL) {
		finding_ok(ret, "nobody has paused it");
		return;
	}
	finding_warn(ret, "an operator wants no new servers since %s UTC%s%s", since,
		     reason[0] != '\0' ? ": " : "", reason);
	finding_fix(ret, "rgrid fleet resume");
}

static void check_quota(struct doctor *doctor, struct finding *ret)
{
	enum { UNTIL = 2, MESSAGE };
	CLEANUP(cleanup_pgresult) PGresult *row = NULL;

	if (!ask(doctor, &query_doctor_holds, NULL, &row, ret))
		return;
	const char *until = pg_get_text_or_null(row, 0, UNTIL);
	if (until == NULL) {
		finding_ok(ret, "not met");
		return;
	}
	finding_warn(ret, "the account may have no more; no server is ordered before %s UTC: %s",
		     until, pg_get_text(row, 0, MESSAGE));
	finding_fix(ret, "raise it (Hetzner Console, Limits), lower workers-max, or delete servers "
			 "that nobody needs");
}

static void check_stock(struct doctor *doctor, struct finding *ret)
{
	enum { CHOICES, COOLING, FIRST };
	CLEANUP(cleanup_pgresult) PGresult *row = NULL;

	if (!ask(doctor, &query_doctor_stock, NULL, &row, ret))
		return;
	long long choices = pg_get_i64(row, 0, CHOICES);
	long long cooling = pg_get_i64(row, 0, COOLING);
	if (choices == 0) {
		finding_skipped(ret, "no orchestrator has told its choices yet");
	} else if (cooling < choices) {
		finding_ok(ret, "%lld of %lld choices may be ordered", choices - cooling, choices);
	} else {
		finding_warn(ret, "all %lld choices are left alone for a while: %s", choices,
			     pg_get_text(row, 0, FIRST));
		finding_fix(ret,
			    "add server types or locations to server-types: a type may be out of "
			    "stock at one location and not at the next");
	}
}

static void check_starts(struct doctor *doctor, struct finding *ret)
{
	enum { FAILED, JOINED, LAST };
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *row = NULL;

	pg_param_i64(&params, STARTING_MS);
	if (!ask(doctor, &query_doctor_starts, &params, &row, ret))
		return;
	long long failed = pg_get_i64(row, 0, FAILED);
	long long joined = pg_get_i64(row, 0, JOINED);
	const char *last = pg_get_text(row, 0, LAST);
	if (failed == 0) {
		finding_ok(ret, "%lld became active within the last hour, and none failed to",
			   joined);
		return;
	}
	if (joined == 0)
		finding_broken(ret, "%lld got a server and did not become active, the last %s",
			       failed, last);
	else
		finding_warn(ret,
			     "%lld of %lld got a server and did not become active, the last %s",
			     failed, failed + joined, last);
	finding_fix(ret,
		    "mend what else is broken here; if nothing is, the console of a server that "
		    "starts says what it waits for");
}

/* Where the API, which serves it, has its blobs; to be freed. */
static char *blob_directory(struct doctor *doctor)
{
	const struct doctor_options *options = doctor_options(doctor);
	CLEANUP(cleanup_free) char *api_env = doctor_file_beside(doctor, API_ENV);
	CLEANUP(cleanup_buf) struct buf value;

	buf_init(&value, ENV_FILE_BYTES_MAX);
	if (env_file_find(api_env, "RGRID_BLOB_DIR", &value) && value.bytes > 0)
		return xstrdup(value.data);
	buf_clear(&value);
	if ((env_file_find(api_env, "RGRID_DATA_DIR", &value) ||
	     env_file_find(options->env_file, "RGRID_DATA_DIR", &value)) &&
	    value.bytes > 0)
		return xasprintf("%s/blobs", value.data);
	return xstrdup(conf_text(options->conf, CONF_BLOB_DIR));
}

static void check_bundle(struct doctor *doctor, struct finding *ret)
{
	CLEANUP(cleanup_free) char *directory = blob_directory(doctor);
	CLEANUP(cleanup_buf) struct buf sha256;
	struct stat status;
	uint64_t bytes = 0;

	buf_init(&sha256, ENV_FILE_BYTES_MAX);
	doctor_setting(doctor, CONF_WORKER_BUNDLE, &sha256);
	if (!doctor_orders_servers(doctor)) {
		finding_skipped(ret, "no servers are ordered that would fetch it");
		return;
	}
	if (sha256.bytes == 0)
		finding_broken(ret,
			       "RGRID_WORKER_BUNDLE is not set: the orchestrator does not start");
	else if (stat(directory, &status) != 0)
		finding_skipped(ret, "there is no %s here", directory);
	else if (!bundle_is_stored(directory, sha256.data, &bytes))
		finding_broken(ret,
			       "%s lacks the bundle %.12s… of RGRID_WORKER_BUNDLE: no server can "
			       "become a worker",
			       directory, sha256.data);
	else
		finding_ok(ret, "%.12s…, %llu bytes", sha256.data, (unsigned long long)bytes);
	if (ret->state == FINDING_BROKEN)
		finding_fix(ret, "rgrid server setup");
}

static const struct check checks[] = {
	{"orchestrator-leads", "who leads the fleet", check_leader},
	{"orchestrator-current", "the orchestrator's files", check_current},
	{"orchestrator-bundle", "the workers' programs", check_bundle},
	{"orchestrator-paused", "the operator's pause", check_paused},
	{"orchestrator-quota", "the account's limit of servers", check_quota},
	{"orchestrator-stock", "choices that may be ordered", check_stock},
	{"orchestrator-starts", "workers that become active", check_starts},
};

const struct check_table doctor_orchestrator = {"orchestrator", checks, ARRAY_SIZE(checks)};
