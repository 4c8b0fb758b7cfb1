/* Checks of the orchestrator's environment file by itself: what the guide's step 3 writes. Whether
 * its values are those of the network that exists, other checks say. */
#include "setup/doctor.h"
#include "setup/db_expose.h"

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <unistd.h>

#include "base/str.h"
#include "setup/env_file.h"
#include "setup/token_file.h"

/* False when there is nothing to check, and *ret says so. */
static bool find_values(struct doctor *doctor, const struct env_values **values,
			struct finding *ret)
{
	struct error err = {0};
	bool exists = false;

	if (doctor_env(doctor, values, &exists, &err) < 0)
		finding_skipped(ret, "%s", err.msg);
	else if (!exists)
		finding_skipped(ret, "there is no %s", doctor_options(doctor)->env_file);
	else if ((*values)->network_id[0] == '\0' && (*values)->db_ip[0] == '\0')
		finding_skipped(ret, "the private network is not switched on");
	else
		return true;
	return false;
}

static void check_file(struct doctor *doctor, struct finding *ret)
{
	const struct env_values *values = NULL;
	CLEANUP(cleanup_buf) struct buf public_ip;
	struct error err = {0};
	bool exists = false;

	buf_init(&public_ip, ENV_FILE_BYTES_MAX);
	if (doctor_env(doctor, &values, &exists, &err) < 0) {
		finding_broken(ret, "%s", err.msg);
		finding_fix(ret, "run doctor as a user who may read it, or name it: --env-file");
	} else if (!exists) {
		finding_warn(ret, "there is no %s: workers use the public address of the database",
			     doctor_options(doctor)->env_file);
		finding_fix(ret, "rgrid network setup --write-env");
	} else if (doctor_public_ip(doctor, &public_ip)) {
		finding_warn(ret,
			     "%s sets no " ENV_NETWORK_ID
			     ": workers use the public address of the database, %s",
			     doctor_options(doctor)->env_file, public_ip.data);
		finding_fix(ret, "rgrid network setup --write-env, then: rgrid db expose");
	} else if (values->network_id[0] == '\0' && values->db_ip[0] == '\0' &&
		   doctor_orders_servers(doctor)) {
		finding_broken(ret,
			       "%s sets neither " ENV_NETWORK_ID " nor " DB_EXPOSE_PUBLIC_IP
			       ": the orchestrator does not start",
			       doctor_options(doctor)->env_file);
		finding_fix(ret, "rgrid network setup --write-env");
	} else if (values->network_id[0] == '\0' && values->db_ip[0] == '\0') {
		finding_warn(ret,
			     "%s sets neither " ENV_NETWORK_ID " nor " ENV_DB_IP
			     ": workers use the public address of the database",
			     doctor_options(doctor)->env_file);
		finding_fix(ret, "rgrid network setup --write-env");
	} else {
		finding_ok(ret, "%s switches the private network on",
			   doctor_options(doctor)->env_file);
	}
}

static void check_network_id(struct doctor *doctor, struct finding *ret)
{
	const struct env_values *values = NULL;
	struct error err = {0};
	int64_t id = 0;

	if (!find_values(doctor, &values, ret))
		return;
	if (values->network_id[0] == '\0') {
		finding_broken(ret, "%s sets " ENV_DB_IP " but not " ENV_NETWORK_ID,
			       doctor_options(doctor)->env_file);
		finding_fix(ret, "rgrid network setup --write-env");
	} else if (parse_i64(values->network_id, 1, INT64_MAX, &id, &err) < 0) {
		finding_broken(ret, ENV_NETWORK_ID " is \"%s\": that is no number",
			       values->network_id);
		finding_fix(ret, "rgrid network setup --write-env (systemd takes a comment behind "
				 "a value as part of the value)");
	} else {
		finding_ok(ret, ENV_NETWORK_ID "=%s", values->network_id);
	}
}

static void check_db_ip(struct doctor *doctor, struct finding *ret)
{
	const struct env_values *values = NULL;
	struct in_addr address;

	if (!find_values(doctor, &values, ret))
		return;
	if (values->db_ip[0] == '\0') {
		finding_broken(ret, "%s sets " ENV_NETWORK_ID " but not " ENV_DB_IP,
			       doctor_options(doctor)->env_file);
		finding_fix(ret, "rgrid network setup --write-env");
	} else if (inet_pton(AF_INET, values->db_ip, &address) != 1) {
		finding_broken(ret, ENV_DB_IP " is \"%s\": that is no IPv4 address", values->db_ip);
		finding_fix(ret, "rgrid network setup --write-env (systemd takes a comment behind "
				 "a value as part of the value)");
	} else {
		finding_ok(ret, ENV_DB_IP "=%s", values->db_ip);
	}
}

static void check_once(struct doctor *doctor, struct finding *ret)
{
	const struct env_values *values = NULL;

	if (!find_values(doctor, &values, ret))
		return;
	if (values->network_id_count > 1 || values->db_ip_count > 1) {
		finding_warn(ret,
			     "%s sets " ENV_NETWORK_ID " %u times, " ENV_DB_IP
			     " %u times; the last one counts",
			     doctor_options(doctor)->env_file, values->network_id_count,
			     values->db_ip_count);
		finding_fix(ret, "rgrid network setup --write-env leaves one of each");
	} else {
		finding_ok(ret, "no name is set twice");
	}
}

static void check_token(struct doctor *doctor, struct finding *ret)
{
	const char *env_file = doctor_options(doctor)->env_file;
	CLEANUP(cleanup_free) char *token_file = doctor_token_file(doctor);
	CLEANUP(cleanup_buf) struct buf token;

	buf_init(&token, ENV_FILE_BYTES_MAX);
	if (token_file_find(env_file, &token)) {
		finding_warn(ret, "the provider's token is in %s, not in a file of its own",
			     env_file);
		finding_fix(ret, "rgrid server setup moves it to %s", token_file);
	} else if (access(token_file, F_OK) != 0) {
		finding_skipped(ret, "there is no %s", token_file);
	} else if (!token_file_is_private(token_file)) {
		finding_broken(ret, "%s is for others than root to read", token_file);
		finding_fix(ret, "chown root:root %s && chmod 600 %s", token_file, token_file);
	} else {
		finding_ok(ret, "%s is root's alone", token_file);
	}
}

/* Whether the connection's settings have a password in them. */
static bool has_password(const char *conninfo)
{
	PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
	bool found = false;

	for (PQconninfoOption *at = options; at != NULL && at->keyword != NULL; at++)
		found = found ||
			(str_eq(at->keyword, "password") && at->val != NULL && at->val[0] != '\0');
	PQconninfoFree(options);
	return found;
}

/* The orchestrator's login may create and end workers: the API, which answers strangers, has one of
 * its own, which may not. */
static void check_login(struct doctor *doctor, struct finding *ret)
{
	const char *env_file = doctor_options(doctor)->env_file;
	CLEANUP(cleanup_buf) struct buf conninfo;

	buf_init(&conninfo, ENV_FILE_BYTES_MAX);
	if (!env_file_find(env_file, "RGRID_DATABASE", &conninfo) || conninfo.bytes == 0 ||
	    !has_password(conninfo.data)) {
		finding_skipped(ret, "there is no password in %s", env_file);
	} else if (!token_file_is_private(env_file)) {
		finding_broken(ret, "%s is for others than root to read", env_file);
		finding_fix(ret, "rgrid server setup, or: chown root:root %s && chmod 600 %s",
			    env_file, env_file);
	} else {
		finding_ok(ret, "%s is root's alone", env_file);
	}
}

static const struct check checks[] = {
	{"env-file", "the orchestrator's environment", check_file},
	{"env-network-id", "network id in the environment", check_network_id},
	{"env-db-ip", "database address in the environment", check_db_ip},
	{"env-once", "each name once in the environment", check_once},
	{"env-token", "who may read the provider's token", check_token},
	{"env-login", "who may read the orchestrator's password", check_login},
};

const struct check_table doctor_environment = {"environment", checks, ARRAY_SIZE(checks)};
