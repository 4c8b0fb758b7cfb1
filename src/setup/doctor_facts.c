/* What several checks need, looked at once. */
#include "base/clock.h"
#include "base/fs.h"
#include "base/str.h"
#include "cloud/hetzner.h"
#include "setup/db_expose.h"
#include "setup/doctor.h"
#include "setup/network_look.h"
#include "setup/operator.h"
#include "setup/own_server.h"
#include "setup/token_file.h"
#include "store/migrate.h"
#include "store/pg.h"

/* How one look went, kept for all who ask. */
struct attempt {
	bool made, failed;
	struct error err;
};

struct doctor {
	struct doctor_options options;
	struct attempt env_attempt, pg_attempt, hetzner_attempt, look_attempt, self_attempt,
		catalog_attempt;
	struct env_values env;
	bool env_exists;
	struct pg *pg;
	struct hetzner *hetzner;
	struct network_look look;
	const struct hetzner_server *self; /* in look */
	struct hetzner_server_type_list types;
	struct hetzner_location_list locations;
};

struct doctor *doctor_new(const struct doctor_options *options)
{
	struct doctor *doctor = xcalloc(1, sizeof(*doctor));
	doctor->options = *options;
	return doctor;
}

void doctor_free(struct doctor *doctor)
{
	if (doctor == NULL)
		return;
	hetzner_server_type_list_release(&doctor->types);
	hetzner_location_list_release(&doctor->locations);
	network_look_release(&doctor->look);
	hetzner_free(doctor->hetzner);
	pg_free(doctor->pg);
	free(doctor);
}

void cleanup_doctor(struct doctor **doctor)
{
	doctor_free(*doctor);
}

const struct doctor_options *doctor_options(const struct doctor *doctor)
{
	return &doctor->options;
}

/* 0 or -1 with the error, as at the first time. */
static int replay(const struct attempt *attempt, struct error *err)
{
	if (attempt->failed)
		*err = attempt->err;
	return attempt->failed ? -1 : 0;
}

/* Remembers that the look was made, and how it went. */
static void conclude(struct attempt *attempt, int result)
{
	attempt->made = true;
	attempt->failed = result < 0;
}

int doctor_env(struct doctor *doctor, const struct env_values **ret, bool *ret_exists,
	       struct error *err)
{
	struct attempt *attempt = &doctor->env_attempt;

	if (!attempt->made)
		conclude(attempt, env_file_read(doctor->options.env_file, &doctor->env,
						&doctor->env_exists, &attempt->err));
	*ret = &doctor->env;
	if (ret_exists != NULL)
		*ret_exists = doctor->env_exists;
	return replay(attempt, err);
}

void doctor_setting(struct doctor *doctor, enum conf_param param, struct buf *out)
{
	char name[CONF_VARIABLE_BYTES];

	conf_param_variable(param, name);
	if (!env_file_find(doctor->options.env_file, name, out))
		buf_append_str(out, conf_text(doctor->options.conf, param));
}

bool doctor_orders_servers(struct doctor *doctor)
{
	CLEANUP(cleanup_buf) struct buf provider;

	buf_init(&provider, ENV_FILE_BYTES_MAX);
	doctor_setting(doctor, CONF_PROVIDER, &provider);
	return str_eq(provider.data, "hetzner");
}

bool doctor_public_ip(struct doctor *doctor, struct buf *out)
{
	const struct env_values *env = NULL;
	struct error err = {0};

	if (doctor_env(doctor, &env, NULL, &err) < 0 || env->network_id[0] != '\0')
		return false;
	return env_file_find(doctor->options.env_file, DB_EXPOSE_PUBLIC_IP, out) && out->bytes > 0;
}

char *doctor_file_beside(const struct doctor *doctor, const char *name)
{
	const char *env_file = doctor->options.env_file;

	return xasprintf("%.*s%s", (int)(fs_basename(env_file) - env_file), env_file, name);
}

char *doctor_token_file(const struct doctor *doctor)
{
	return doctor_file_beside(doctor, TOKEN_FILE_NAME);
}

/* On a server that `server setup` has made, only the daemons' files know of a database. */
static int open_database(struct doctor *doctor, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf conninfo;

	buf_init(&conninfo, ENV_FILE_BYTES_MAX);
	doctor_setting(doctor, CONF_DATABASE, &conninfo);
	if (conf_text(doctor->options.conf, CONF_DATABASE)[0] == '\0' && conninfo.bytes > 0)
		return pg_open(conninfo.data, &doctor->pg, err);
	return operator_open_database(doctor->options.conf, &doctor->pg, err);
}

int doctor_pg(struct doctor *doctor, struct pg **ret, struct error *err)
{
	struct attempt *attempt = &doctor->pg_attempt;

	if (!attempt->made)
		conclude(attempt, open_database(doctor, &attempt->err));
	*ret = doctor->pg;
	return replay(attempt, err);
}

bool doctor_need_schema(struct doctor *doctor, struct pg **ret_pg, struct finding *ret)
{
	struct error err = {0};
	bool is_current = false;

	if (doctor_pg(doctor, ret_pg, &err) < 0) {
		finding_skipped(ret, err.code == ERR_NOT_FOUND ? "no database is configured"
							       : "the database does not answer");
		return false;
	}
	if (migrate_check(*ret_pg, &is_current, &err) == 0 && is_current)
		return true;
	finding_skipped(ret, "the database's schema is not this program's");
	return false;
}

int doctor_hetzner(struct doctor *doctor, struct hetzner **ret, struct error *err)
{
	struct attempt *attempt = &doctor->hetzner_attempt;

	if (!attempt->made) {
		CLEANUP(cleanup_free) char *token_file = doctor_token_file(doctor);
		token_file_adopt(token_file);
		conclude(attempt, hetzner_new_from_environment(&doctor->hetzner, &attempt->err));
	}
	*ret = doctor->hetzner;
	return replay(attempt, err);
}

int doctor_look(struct doctor *doctor, const struct network_look **ret, struct error *err)
{
	struct attempt *attempt = &doctor->look_attempt;
	struct hetzner *hetzner = NULL;

	if (!attempt->made) {
		int result = doctor_hetzner(doctor, &hetzner, &attempt->err);
		if (result == 0)
			result = network_look_take(hetzner, doctor->options.wish.name,
						   &doctor->look, &attempt->err);
		conclude(attempt, result);
	}
	*ret = &doctor->look;
	return replay(attempt, err);
}

int doctor_self(struct doctor *doctor, const struct hetzner_server **ret, struct error *err)
{
	struct attempt *attempt = &doctor->self_attempt;
	const struct network_look *look = NULL;

	if (!attempt->made) {
		int result = doctor_look(doctor, &look, &attempt->err);
		if (result == 0)
			result = own_server_find(doctor->options.server, &look->servers,
						 &doctor->self, &attempt->err);
		conclude(attempt, result);
	}
	*ret = doctor->self;
	return replay(attempt, err);
}

bool doctor_need_look(struct doctor *doctor, const struct network_look **ret_look,
		      struct finding *ret)
{
	struct error err = {0};

	if (doctor_look(doctor, ret_look, &err) == 0)
		return true;
	finding_skipped_api(ret, &err);
	return false;
}

void finding_skipped_api(struct finding *ret, const struct error *err)
{
	if (err->code == ERR_UNAUTHENTICATED)
		finding_skipped(ret, "there is no token that is valid");
	else if (err->code == ERR_RATE_LIMITED)
		finding_skipped(ret, "the request budget is used up");
	else
		finding_skipped(ret, "the API does not answer");
}

int doctor_catalog(struct doctor *doctor, struct doctor_catalog *ret, struct error *err)
{
	struct attempt *attempt = &doctor->catalog_attempt;
	struct hetzner *hetzner = NULL;

	if (!attempt->made) {
		int result = doctor_hetzner(doctor, &hetzner, &attempt->err);
		if (result == 0)
			result = hetzner_server_types_list(hetzner, &doctor->types, &attempt->err);
		if (result == 0)
			result = hetzner_locations_list(hetzner, &doctor->locations, &attempt->err);
		conclude(attempt, result);
	}
	*ret = (struct doctor_catalog){&doctor->types, &doctor->locations};
	return replay(attempt, err);
}

int64_t doctor_provider_now_us(struct doctor *doctor)
{
	struct hetzner *hetzner = NULL;
	struct hetzner_budget budget = {0};
	struct error err = {0};

	if (doctor_hetzner(doctor, &hetzner, &err) == 0)
		hetzner_budget(hetzner, &budget);
	return clock_wall_us() + budget.clock_skew_ms * 1000;
}
