/* Checks of the database, from where the control plane runs. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"
#include "core/address_list.h"
#include "core/ipv4.h"
#include "setup/db_expose.h"
#include "setup/db_firewall.h"
#include "setup/db_proof.h"
#include "setup/doctor.h"
#include "setup/doctor_hba.h"
#include "setup/pki.h"
#include "store/migrate.h"
#include "store/pg.h"
#include "store/queries.h"

#define VERSION_NUM_MIN 150000
#define LIST_TAKEN_S	300 /* a change of the list is taken within two minutes */

static void check_answers(struct doctor *doctor, struct finding *ret)
{
	struct pg *pg = NULL;
	struct error err = {0};

	if (doctor_pg(doctor, &pg, &err) == 0) {
		finding_ok(ret, "it answers");
	} else if (err.code == ERR_NOT_FOUND) {
		finding_skipped(ret, "no database is configured");
	} else {
		finding_broken(ret, "%s", err.msg);
		finding_fix(ret, "%s", err.hint[0] != '\0' ? err.hint : "rgrid db status");
	}
}

static void check_schema(struct doctor *doctor, struct finding *ret)
{
	struct pg *pg = NULL;
	struct error err = {0};
	bool current = false;

	if (doctor_pg(doctor, &pg, &err) < 0) {
		finding_skipped(ret, err.code == ERR_NOT_FOUND ? "no database is configured"
							       : "the database does not answer");
	} else if (migrate_check(pg, &current, &err) < 0) {
		finding_broken(ret, "%s", err.msg);
		finding_fix(ret, "rgrid db status");
	} else if (!current) {
		finding_broken(ret, "the schema is not the one that this program needs");
		finding_fix(ret, "rgrid db migrate");
	} else {
		finding_ok(ret, "up to date");
	}
}

/* The cluster on this machine and what it exposes, or is to expose. */
struct view {
	struct pg_debian cluster;
	struct pg_in_force in_force;
	struct db_expose_paths paths;
	char *database;
	char ip[IPV4_BYTES];
	const char **sources;
	struct buf hba; /* what the sources of a public address point into */
	struct db_exposure exposure;
	bool has_conf; /* the drop-in exists */
};

static void view_release(struct view *view)
{
	pg_debian_release(&view->cluster);
	pg_in_force_release(&view->in_force);
	db_expose_paths_release(&view->paths);
	free(view->database);
	free(view->sources);
	buf_release(&view->hba);
}

/* "listen_addresses = 'localhost,10.0.1.2'" of the drop-in. */
static void read_ip(struct view *view)
{
	static const char before[] = "listen_addresses = 'localhost,";
	CLEANUP(cleanup_buf) struct buf text;
	struct error err = {0};

	buf_init(&text, DB_TEXT_BYTES_MAX);
	view->has_conf = access(view->paths.conf, F_OK) == 0;
	if (fs_read(AT_FDCWD, view->paths.conf, &text, &err) < 0)
		return;
	const char *at = strstr(text.data, before);
	if (at == NULL)
		return;
	at += strlen(before);
	size_t bytes = strcspn(at, "'\n");
	if (bytes < sizeof(view->ip))
		(void)snprintf(view->ip, sizeof(view->ip), "%.*s", (int)bytes, at);
}

/* Whom a public address is open to stands in pg_hba.conf alone. */
static void read_sources(struct view *view, const char *subnet)
{
	struct error err = {0};

	view->sources = xcalloc(DB_EXPOSURE_SOURCES_MAX, sizeof(*view->sources));
	view->exposure.sources = view->sources;
	if (!view->exposure.is_public) {
		view->sources[0] = subnet;
		view->exposure.source_count = 1;
		return;
	}
	buf_init(&view->hba, DB_TEXT_BYTES_MAX);
	if (fs_read(AT_FDCWD, view->paths.hba, &view->hba, &err) < 0 || view->hba.bytes == 0)
		return;
	size_t count = db_hba_sources(view->hba.data, view->sources, DB_EXPOSURE_SOURCES_MAX);
	view->exposure.source_count =
		count < DB_EXPOSURE_SOURCES_MAX ? count : DB_EXPOSURE_SOURCES_MAX;
}

static const char *pki_dir_of(struct doctor *doctor)
{
	const char *named = doctor_options(doctor)->pki_dir;

	return named != NULL ? named : PKI_DIRECTORY_DEFAULT;
}

/* `before`, then `rgrid db expose` for the cluster that was looked at. */
PRINTF_FORMAT(3, 4)
static void fix_expose(struct doctor *doctor, struct finding *ret, const char *format, ...)
{
	const struct doctor_options *options = doctor_options(doctor);
	char before[FINDING_FIX_BYTES];
	CLEANUP(cleanup_buf) struct buf public_ip;
	va_list args;

	buf_init(&public_ip, ENV_FILE_BYTES_MAX);
	va_start(args, format);
	(void)vsnprintf(before, sizeof(before), format, args);
	va_end(args);
	finding_fix(ret, "%srgrid db expose%s%s%s%s%s", before,
		    doctor_public_ip(doctor, &public_ip) ? " --public-workers " PUBLIC_WORKERS_PATH
							 : "",
		    options->cluster != NULL ? " --cluster " : "",
		    options->cluster != NULL ? options->cluster : "",
		    options->pki_dir != NULL ? " --pki-dir " : "",
		    options->pki_dir != NULL ? options->pki_dir : "");
}

/* False: *ret is a skip with the reason. */
static bool need_cluster(struct doctor *doctor, struct view *view, struct finding *ret)
{
	const struct doctor_options *options = doctor_options(doctor);
	struct error err = {0};

	view->database = db_expose_database(options->conf);
	if (pg_debian_find(options->cluster, &view->cluster, &err) < 0 ||
	    pg_debian_in_force(&view->cluster, view->database, &view->in_force, &err) < 0) {
		finding_skipped(ret, "%s", err.msg);
		if (err.hint[0] != '\0')
			finding_fix(ret, "%s", err.hint);
		return false;
	}
	db_expose_paths_make(&view->cluster, &view->in_force, pki_dir_of(doctor), &view->paths);
	return true;
}

/* Where the environment file says that workers reach the database, appended, and the name that says
 * so. */
static bool environment_ip(struct doctor *doctor, struct buf *out, const char **ret_name)
{
	const struct env_values *env = NULL;
	struct error err = {0};

	*ret_name = ENV_DB_IP;
	if (doctor_env(doctor, &env, NULL, &err) < 0)
		return false;
	if (env->db_ip[0] != '\0') {
		buf_append_str(out, env->db_ip);
		return true;
	}
	*ret_name = DB_EXPOSE_PUBLIC_IP;
	return doctor_public_ip(doctor, out);
}

/* As need_cluster, of one that is exposed, or that the environment says is. */
static bool need_exposed(struct doctor *doctor, struct view *view, struct finding *ret)
{
	const struct network_wish *wish = &doctor_options(doctor)->wish;
	CLEANUP(cleanup_buf) struct buf told;
	const char *variable = NULL;
	struct error err = {0};
	struct ipv4_range subnet = {0};
	uint32_t ip = 0;

	buf_init(&told, ENV_FILE_BYTES_MAX);
	if (!need_cluster(doctor, view, ret))
		return false;
	bool wanted = environment_ip(doctor, &told, &variable);
	(void)snprintf(view->ip, sizeof(view->ip), "%s", wanted ? told.data : wish->ip);
	read_ip(view);
	if (!wanted && !view->has_conf) {
		finding_skipped(ret, "the database is not exposed");
		return false;
	}
	view->exposure = (struct db_exposure){
		.database = view->database,
		.ip = view->ip,
		.pem = view->paths.pem,
		.port = view->cluster.port,
		.api_port = db_expose_api_port(doctor_options(doctor)->env_file),
		.is_public = ipv4_parse(view->ip, &ip, &err) < 0 ||
			     ipv4_range_parse(wish->subnet, &subnet, &err) < 0 ||
			     !ipv4_range_has(subnet, ip),
	};
	/* A private address outside of it: the range is not the one that workers are in. */
	if (view->has_conf && view->exposure.is_public && !ipv4_is_public(ip)) {
		finding_skipped(ret, "%s is not in %s, the workers' range", view->ip, wish->subnet);
		finding_fix(ret, "say which it is: --ip-range, --subnet and --ip");
		return false;
	}
	read_sources(view, wish->subnet);
	return true;
}

/* As need_exposed, where `db expose` has been: db-listening names it if not. */
static bool need_settings(struct doctor *doctor, struct view *view, struct finding *ret)
{
	if (!need_exposed(doctor, view, ret))
		return false;
	if (view->has_conf)
		return true;
	finding_skipped(ret, "the database is not exposed");
	return false;
}

static void check_version(struct doctor *doctor, struct finding *ret)
{
	CLEANUP(view_release) struct view view = {0};

	if (!need_cluster(doctor, &view, ret))
		return;
	if (view.in_force.version_num >= VERSION_NUM_MIN) {
		finding_ok(ret, "%s", view.cluster.version);
		return;
	}
	finding_broken(ret, "PostgreSQL is %s, 15 is needed", view.cluster.version);
	finding_fix(ret, "pg_upgradecluster %s %s", view.cluster.version, view.cluster.name);
}

static void check_listening(struct doctor *doctor, struct finding *ret)
{
	CLEANUP(view_release) struct view view = {0};
	struct listening listening = {0};
	struct error err = {0};

	if (!need_exposed(doctor, &view, ret))
		return;
	if (db_listening(view.ip, view.cluster.port, &listening, &err) < 0) {
		finding_broken(ret, "%s", err.msg);
		return;
	}
	unsigned port = (unsigned)view.cluster.port;
	if (listening.elsewhere)
		finding_broken(ret, "it listens on %s port %u", listening.other, port);
	else if (!view.has_conf)
		finding_broken(ret, "the environment says %s, but the database is not exposed",
			       view.ip);
	else if (!listening.on_ip)
		finding_broken(ret, "it does not listen on %s port %u", view.ip, port);
	else
		finding_ok(ret, "on localhost and %s alone, port %u", view.ip, port);
	if (listening.elsewhere && view.has_conf)
		fix_expose(doctor, ret,
			   "take listen_addresses out of %s, then: ", view.in_force.listen_source);
	else if (ret->state == FINDING_BROKEN)
		fix_expose(doctor, ret, "%s", "");
}

static bool hba_is_ours(const struct view *view)
{
	CLEANUP(cleanup_buf) struct buf now;
	CLEANUP(cleanup_buf) struct buf block;
	CLEANUP(cleanup_buf) struct buf wanted;
	struct error err = {0};

	buf_init(&now, DB_TEXT_BYTES_MAX);
	buf_init(&block, DB_TEXT_BYTES_MAX);
	buf_init(&wanted, 2 * DB_TEXT_BYTES_MAX);
	db_exposure_hba(&view->exposure, &block);
	return fs_read(AT_FDCWD, view->paths.hba, &now, &err) == 0 &&
	       db_hba_set(now.data, now.bytes, block.data, &wanted, &err) == 0 &&
	       wanted.bytes == now.bytes && memcmp(wanted.data, now.data, now.bytes) == 0;
}

static void check_hba(struct doctor *doctor, struct finding *ret)
{
	CLEANUP(view_release) struct view view = {0};
	struct error err = {0};

	if (!need_settings(doctor, &view, ret))
		return;
	bool is_ours = hba_is_ours(&view);
	if (view.exposure.is_public && is_ours && db_exposure_check(&view.exposure, &err) == 0) {
		finding_warn(ret,
			     "the database is open on the public address %s, over TLS, to %zu "
			     "address%s, one each",
			     view.ip, view.exposure.source_count,
			     view.exposure.source_count == 1 ? "" : "es");
		finding_fix(ret, "rgrid network setup, then: rgrid db expose");
	} else if (!view.exposure.is_public && is_ours) {
		finding_ok(ret, "workers of %s, over TLS, with SCRAM; nobody else from outside",
			   view.sources[0]);
	} else {
		doctor_hba_fault(&view.cluster, &view.exposure, ret);
		fix_expose(doctor, ret, "%s", "");
	}
}

static void check_tls(struct doctor *doctor, struct finding *ret)
{
	CLEANUP(view_release) struct view view = {0};

	if (!need_settings(doctor, &view, ret))
		return;
	const struct pg_in_force *in_force = &view.in_force;
	if (!in_force->ssl)
		finding_broken(ret, "TLS is off");
	else if (!str_eq(in_force->cert_file, view.paths.pem))
		finding_broken(ret, "PostgreSQL shows %s, not our certificate",
			       in_force->cert_file);
	else if (!str_eq(in_force->ssl_min, "TLSv1.2") && !str_eq(in_force->ssl_min, "TLSv1.3"))
		finding_broken(ret, "it takes %s", in_force->ssl_min);
	else if (!str_eq(in_force->password_encryption, "scram-sha-256"))
		finding_broken(ret, "new passwords are stored as %s",
			       in_force->password_encryption);
	else
		finding_ok(ret, "%s or later, with our certificate", in_force->ssl_min);
	if (ret->state == FINDING_BROKEN)
		fix_expose(doctor, ret,
			   "remove what overrides %s (see pg_settings.sourcefile), then: ",
			   view.paths.conf);
}

/* *ret of one of the files that `db expose` makes for the exposed address. */
static void judge_certificate(struct doctor *doctor, const struct view *view, const char *path,
			      struct finding *ret)
{
	const char *ips[] = {view->ip};
	struct pki_names names = {.ips = ips, .ip_count = 1};
	enum pki_state state = PKI_ABSENT;
	int64_t expires = 0;
	struct error err = {0};
	char date[16] = "";
	struct tm when = {0};

	if (pki_server_check(pki_dir_of(doctor), path, &names, &state, &expires, &err) < 0) {
		finding_broken(ret, "%s", err.msg);
		fix_expose(doctor, ret, "%s", "");
		return;
	}
	time_t seconds = (time_t)(expires / 1000000);
	if (gmtime_r(&seconds, &when) != NULL)
		(void)strftime(date, sizeof(date), "%Y-%m-%d", &when);
	if (state == PKI_GOOD)
		finding_ok(ret, "for %s, until %s", view->ip, date);
	else if (state == PKI_EXPIRING)
		finding_warn(ret, "%s ends on %s", path, date);
	else
		finding_broken(ret, "%s %s", path, pki_state_text(state));
	if (state != PKI_GOOD)
		fix_expose(doctor, ret, "%s", "");
}

static void check_certificate(struct doctor *doctor, struct finding *ret)
{
	CLEANUP(view_release) struct view view = {0};

	if (need_settings(doctor, &view, ret))
		judge_certificate(doctor, &view, view.paths.pem, ret);
}

static void check_api_certificate(struct doctor *doctor, struct finding *ret)
{
	CLEANUP(view_release) struct view view = {0};

	if (!need_settings(doctor, &view, ret))
		return;
	judge_certificate(doctor, &view, view.paths.api_pem, ret);
	if (ret->fix[0] == '\0')
		return;
	/* PostgreSQL is told by `db expose`; the API reads it when it starts. */
	size_t bytes = strlen(ret->fix);
	(void)snprintf(ret->fix + bytes, sizeof(ret->fix) - bytes,
		       ", then: rgrid server setup, which restarts the workers' API");
}

static void check_firewall(struct doctor *doctor, struct finding *ret)
{
	CLEANUP(view_release) struct view view = {0};
	struct firewall_state state = {0};
	struct error err = {0};

	if (!need_settings(doctor, &view, ret))
		return;
	if (db_firewall_look(&view.exposure, &state, &err) < 0)
		finding_broken(ret, "%s", err.msg);
	else if (!state.kernel_has)
		finding_broken(ret, "there is no table inet " DB_FIREWALL_TABLE
				    ": a route through another interface reaches the port");
	else if (!state.file_has)
		finding_broken(ret, "table inet " DB_FIREWALL_TABLE " would be gone after a boot");
	else if (!state.kernel_good)
		finding_broken(ret, "table inet " DB_FIREWALL_TABLE " is not as it should be");
	else if (!state.file_good)
		finding_broken(ret, "what loads table inet " DB_FIREWALL_TABLE
				    " at boot is not as it should be");
	else
		finding_ok(ret, "table inet " DB_FIREWALL_TABLE " guards ports %u and %u",
			   (unsigned)view.cluster.port, (unsigned)view.exposure.api_port);
	if (ret->state == FINDING_BROKEN)
		fix_expose(doctor, ret, "%s", "");
}

static void check_rights(struct doctor *doctor, struct finding *ret)
{
	CLEANUP(view_release) struct view view = {0};
	CLEANUP(cleanup_pg) struct pg *pg = NULL;
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	struct error err = {0};

	if (!need_cluster(doctor, &view, ret))
		return;
	if (pg_debian_connect(&view.cluster, &pg, &err) < 0 ||
	    pg_run(pg, &query_exposure_worker_rights, NULL, &result, &err) < 0) {
		finding_broken(ret, "%s", err.msg);
	} else if (PQntuples(result) > 0) {
		finding_broken(ret, "role %s has more rights than a worker's",
			       pg_get_text(result, 0, 0));
		finding_fix(ret,
			    "ALTER ROLE %s NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION "
			    "NOBYPASSRLS, and REVOKE what else it is a member of",
			    pg_get_text(result, 0, 0));
	} else {
		finding_ok(ret, "rgrid_worker and its members have none but their functions");
	}
}

static void check_env_ip(struct doctor *doctor, struct finding *ret)
{
	CLEANUP(view_release) struct view view = {0};
	CLEANUP(cleanup_buf) struct buf told;
	const char *variable = NULL;

	buf_init(&told, ENV_FILE_BYTES_MAX);
	if (!need_settings(doctor, &view, ret))
		return;
	if (!environment_ip(doctor, &told, &variable)) {
		finding_skipped(ret, "neither " ENV_DB_IP " nor " DB_EXPOSE_PUBLIC_IP " is set");
		return;
	}
	if (str_eq(told.data, view.ip)) {
		finding_ok(ret, "%s", view.ip);
		return;
	}
	finding_broken(ret, "%s is %s, but the database is exposed on %s", variable, told.data,
		       view.ip);
	if (str_eq(variable, ENV_DB_IP))
		finding_fix(ret, "rgrid db expose --private-ip %s, or correct %s", told.data,
			    doctor_options(doctor)->env_file);
	else
		fix_expose(doctor, ret, "%s", "");
}

/* False when a range is among them, which db-hba names. */
static bool list_open(const struct db_exposure *exposure, struct address_list *ret)
{
	struct ipv4_range range = {0};
	struct error err = {0};

	for (size_t i = 0; i < exposure->source_count; i++) {
		if (ipv4_range_parse(exposure->sources[i], &range, &err) < 0 ||
		    range.prefix != 32 || !address_list_add(ret, range.first))
			return false;
	}
	return true;
}

/* What rgrid-public-workers.path keeps the same. */
static void check_public_workers(struct doctor *doctor, struct finding *ret)
{
	CLEANUP(view_release) struct view view = {0};
	CLEANUP(cleanup_buf) struct buf path;
	CLEANUP(cleanup_buf) struct buf text;
	struct address_list told = {.count = 0}, open = {.count = 0};
	struct error err = {0};
	struct stat status;

	buf_init(&path, ENV_FILE_BYTES_MAX);
	buf_init(&text, ADDRESS_LIST_BYTES_MAX);
	doctor_setting(doctor, CONF_PUBLIC_WORKERS, &path);
	bool is_public = doctor_public_ip(doctor, &text);
	buf_clear(&text);
	if (!is_public) {
		finding_skipped(ret, "workers do not use the public side");
	} else if (!need_settings(doctor, &view, ret)) {
		return;
	} else if (!view.exposure.is_public || !list_open(&view.exposure, &open)) {
		finding_skipped(ret, "the database is not open to single addresses");
	} else if (stat(path.data, &status) != 0) {
		finding_skipped(ret, "the orchestrator has not told its workers yet");
	} else if (fs_read(AT_FDCWD, path.data, &text, &err) < 0 ||
		   address_list_parse(text.data, text.bytes, &told, &err) < 0) {
		finding_broken(ret, "%s: %s", path.data, err.msg);
		finding_fix(ret, "systemctl restart rgrid-orchestrator, which writes it anew");
	} else if (address_list_equals(&told, &open) ||
		   status.st_mtime > time(NULL) - LIST_TAKEN_S) {
		finding_ok(ret, "%zu told, %zu open", told.count, open.count);
	} else {
		finding_broken(ret, "%s has %zu addresses, and others are open: %zu", path.data,
			       told.count, open.count);
		finding_fix(ret, "systemctl enable --now rgrid-public-workers.path");
	}
}

static const struct check checks[] = {
	{"db-answers", "the database", check_answers},
	{"db-schema", "the database's schema", check_schema},
	{"db-version", "PostgreSQL's version", check_version},
	{"db-listening", "where PostgreSQL listens", check_listening},
	{"db-hba", "who may log in", check_hba},
	{"db-tls", "PostgreSQL's TLS", check_tls},
	{"db-certificate", "PostgreSQL's certificate", check_certificate},
	{"db-api-certificate", "the workers' API's certificate", check_api_certificate},
	{"db-firewall", "the database's firewall", check_firewall},
	{"db-rights", "workers' rights", check_rights},
	{"db-env-ip", "the environment against the database", check_env_ip},
	{"db-public-workers", "workers on the public side", check_public_workers},
};

const struct check_table doctor_database = {"database", checks, ARRAY_SIZE(checks)};
