#include "orchestrator/provider.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/str.h"
#include "conf/conninfo.h"
#include "core/address_list.h"
#include "core/ipv4.h"
#include "core/limits.h"
#include "core/name_list.h"
#include "orchestrator/enrolment.h"
#include "orchestrator/hetzner_fleet.h"
#include "orchestrator/user_data.h"
#include "store/pg.h"
#include "store/queries.h"

#define NAME_PREFIX	   "rgrid-worker-"
#define CA_BYTES_MAX	   (64 * KIB)
#define GRID_ID_BYTES	   40
#define REQUESTS_RESERVE   100 /* of the hourly budget, kept for deletions */
#define REQUEST_TIMEOUT_MS 15000
#define RESOLVERS	   "185.12.64.1 185.12.64.2" /* Hetzner's, for its customers' servers */
#define LOST_MS_MAX	   (30ULL * 60 * 1000)	/* a machine without its grid powers itself off */
#define LOGIN_SPARE_MS	   (2ULL * 3600 * 1000) /* beyond the maximum age: draining takes time */
#define FIELD_GRID_ID	   7			/* of query_fleet_facts */

struct provider {
	const struct conf *conf;
	struct hetzner *hetzner;
	struct pg *pg;
	struct hetzner_fleet *fleet;
	struct public_list *public_list; /* NULL: there is a private network, or nothing is to be
					    changed */
	struct server_choice choices[FLEET_CHOICES_MAX];
	size_t choice_count;
	int64_t ssh_key_ids[NAME_LIST_MAX];
	size_t ssh_key_count;
	int64_t firewall_ids[HETZNER_FIREWALLS_MAX];
	size_t firewall_count;
	struct fleet_cloud cloud;
	char grid_id[GRID_ID_BYTES];
	char gateway[IPV4_BYTES];
	bool leads_out; /* of the private network, for servers without a public address */
	struct buf ca_pem;
	struct buf worker_conninfo;
	uint64_t start_deadline_ms;
};

static int need(const struct conf *conf, enum conf_param param, const char *how, struct error *err)
{
	const char *text = conf_text(conf, param);

	if (text[0] != '\0' && !str_eq(text, "0"))
		return 0;
	(void)error_set(err, ERR_INVALID, "the setting %s is missing", conf_param_name(param));
	return error_hint(err, "%s", how);
}

/* Workers reach the database by their own public addresses. A private network goes before. */
static bool is_public_mode(const struct conf *conf)
{
	return conf_number(conf, CONF_NETWORK_ID) == 0;
}

/* Where workers find the database. */
static const char *database_ip(const struct conf *conf)
{
	return conf_text(conf, is_public_mode(conf) ? CONF_PUBLIC_DB_IP : CONF_PRIVATE_DB_IP);
}

/* A URL that names a private address leads public workers nowhere; another name may be right. */
static int check_public_url(const struct conf *conf, struct error *err)
{
	const char *url = conf_text(conf, CONF_WORKER_API_URL);
	const char *host = strstr(url, "://");
	char text[IPV4_BYTES] = "";
	uint32_t address = 0;
	struct error ignored = {0};

	if (host != NULL)
		(void)snprintf(text, sizeof(text), "%.*s", (int)strcspn(host + 3, ":/"), host + 3);
	if (ipv4_parse(text, &address, &ignored) < 0 || ipv4_is_public(address))
		return 0;
	(void)error_set(err, ERR_INVALID, "worker-api-url is %s, where no public worker gets", url);
	return error_hint(err, "set it to https://%s:8443", conf_text(conf, CONF_PUBLIC_DB_IP));
}

static int check_public_mode(const struct conf *conf, struct error *err)
{
	const char *ip = conf_text(conf, CONF_PUBLIC_DB_IP);
	uint32_t address = 0;

	if (ip[0] == '\0') {
		(void)error_set(err, ERR_INVALID, "neither network-id nor public-db-ip is set");
		return error_hint(err, "`rgrid network setup` makes a private network and prints "
				       "network-id; without one set public-db-ip to this server's "
				       "public address");
	}
	if (ipv4_parse(ip, &address, err) < 0)
		return error_wrap(err, "public-db-ip");
	if (!ipv4_is_public(address))
		return error_set(err, ERR_INVALID, "public-db-ip: %s is not a public address", ip);
	if (conf_number(conf, CONF_WORKERS_MAX) > ADDRESS_LIST_MAX)
		return error_set(err, ERR_INVALID,
				 "workers-max is more than %d, which is what public-db-ip allows",
				 ADDRESS_LIST_MAX);
	return check_public_url(conf, err);
}

static int check_settings(const struct conf *conf, struct error *err)
{
	int mode = is_public_mode(conf)
			   ? check_public_mode(conf, err)
			   : need(conf, CONF_PRIVATE_DB_IP, "`rgrid network setup` prints it", err);

	if (mode < 0 ||
	    need(conf, CONF_WORKER_API_URL,
		 "workers fetch their programs and files from an API of their own: rgridd api "
		 "--serve workers --listen 10.0.1.2:8443 --tls-file …, which `rgrid server setup` "
		 "starts and names in the orchestrator's environment",
		 err) < 0)
		return -1;
	return need(conf, CONF_WORKER_BUNDLE,
		    "`rgrid bundle make` puts it into the blob store and prints its SHA-256", err);
}

/* Host, port and database of the grid's PostgreSQL as workers reach it; without a login. */
static void make_worker_conninfo(struct provider *provider)
{
	const char *own = conf_text(provider->conf, CONF_DATABASE);
	CLEANUP(cleanup_free) char *port = conninfo_value(own, "port");
	CLEANUP(cleanup_free) char *name = conninfo_value(own, "dbname");

	buf_init(&provider->worker_conninfo, CONNINFO_BYTES_MAX);
	conninfo_append(&provider->worker_conninfo, "host", database_ip(provider->conf));
	conninfo_append(&provider->worker_conninfo, "port", port != NULL ? port : "5432");
	conninfo_append(&provider->worker_conninfo, "dbname", name != NULL ? name : "rgrid");
}

static int read_grid_id(struct provider *provider, struct error *err)
{
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;

	if (pg_run(provider->pg, &query_fleet_facts, NULL, &result, err) < 0)
		return -1;
	(void)snprintf(provider->grid_id, sizeof(provider->grid_id), "%s",
		       pg_get_text(result, 0, FIELD_GRID_ID));
	return 0;
}

/* Whether the network leads out of it, through a server that translates addresses. */
static bool leads_out(const struct hetzner_network *network)
{
	for (size_t i = 0; i < network->route_count; i++) {
		if (str_eq(network->routes[i].destination, "0.0.0.0/0"))
			return true;
	}
	return false;
}

/* Not in public mode. The provider routes everything in the network through the first address of
 * its range. */
static int read_gateway(struct provider *provider, struct error *err)
{
	CLEANUP(cleanup_hetzner_network_list) struct hetzner_network_list networks = {0};
	int64_t id = (int64_t)conf_number(provider->conf, CONF_NETWORK_ID);
	struct ipv4_range range;

	if (is_public_mode(provider->conf))
		return 0;
	if (hetzner_network_get(provider->hetzner, id, &networks, err) < 0)
		return error_wrap(err, "network %" PRId64, id);
	if (ipv4_range_parse(networks.items[0].ip_range, &range, err) < 0)
		return error_wrap(err, "the range of network %" PRId64, id);
	(void)ipv4_format(range.first + 1, provider->gateway);
	provider->leads_out = leads_out(&networks.items[0]);
	return 0;
}

/* Called between the worker's row and the order for its server. */
static int make_user_data(void *context, const struct fleet_creation *creation, char **ret,
			  struct error *err)
{
	struct provider *provider = context;
	const struct conf *conf = provider->conf;
	char token[ENROLMENT_TOKEN_CHARS + 1];
	struct enrolment_terms terms = {.start_ms = provider->start_deadline_ms,
					.age_ms = conf_number(conf, CONF_WORKER_AGE_MAX) +
						  LOGIN_SPARE_MS};

	bool needs_way_out = provider->leads_out && conf_number(conf, CONF_SERVER_IPV4) == 0;

	if (enrolment_require(provider->pg, creation->intent->worker_id, &terms, token, err) < 0)
		return -1;
	struct user_data data = {.worker_name = creation->intent->name,
				 .slots = creation->slots,
				 .api_url = conf_text(conf, CONF_WORKER_API_URL),
				 .ca_pem = provider->ca_pem.data,
				 .login = creation->intent->login,
				 .database_host = database_ip(conf),
				 .bundle_sha256 = conf_text(conf, CONF_WORKER_BUNDLE),
				 .bundle_token = token,
				 .gateway = is_public_mode(conf) ? NULL : provider->gateway,
				 .needs_way_out = needs_way_out,
				 .dns = needs_way_out ? RESOLVERS : NULL,
				 .start_ms = terms.start_ms,
				 .lost_ms_max = LOST_MS_MAX};
	return user_data_build(&data, ret, err);
}

static void tell_public(const struct provider *provider)
{
	const char *ip = conf_text(provider->conf, CONF_PUBLIC_DB_IP);
	CLEANUP(cleanup_free) char *used = xasprintf("Using public IP for database: %s", ip);
	CLEANUP(cleanup_free)
	char *loud = xasprintf(
		"NO PRIVATE NETWORK: the database is reached over the PUBLIC side at %s, over TLS, "
		"from the address of each worker alone; `rgrid network setup` closes it",
		ip);

	log_warning(used, F_STR("grid", provider->grid_id));
	log_warning(loud, F_STR("list", conf_text(provider->conf, CONF_PUBLIC_WORKERS)));
}

static void tell(const struct provider *provider)
{
	const struct conf *conf = provider->conf;
	const char *ip = conf_text(conf, CONF_PRIVATE_DB_IP);
	CLEANUP(cleanup_free)
	char *enabled = xasprintf("Private network enabled (Network ID: %s, DB IP: %s)",
				  conf_text(conf, CONF_NETWORK_ID), ip);
	CLEANUP(cleanup_free)
	char *used = xasprintf("Using private network IP for database: %s", ip);

	if (is_public_mode(conf)) {
		tell_public(provider);
		return;
	}
	log_info(enabled, F_STR("grid", provider->grid_id));
	log_info(used);
	if (conf_text(conf, CONF_PUBLIC_DB_IP)[0] != '\0')
		log_warning("public-db-ip is not used: network-id is set");
	if (provider->firewall_count > 0 && conf_number(conf, CONF_SERVER_IPV4) == 0)
		log_warning("firewalls are left out: servers have no public address to filter");
}

/* The numbers of what a setting names, of `all` that there are. */
static int find_named(const struct conf *conf, enum conf_param param,
		      const struct hetzner_named_list *all, int64_t *ids, size_t max,
		      size_t *ret_count, struct error *err)
{
	CLEANUP(cleanup_free) struct name_list *names = xcalloc(1, sizeof(*names));

	if (name_list_parse(conf_text(conf, param), names, err) < 0)
		return error_wrap(err, "%s", conf_param_name(param));
	if (names->count > max)
		return error_set(err, ERR_INVALID, "%s: a server takes at most %zu",
				 conf_param_name(param), max);
	for (size_t i = 0; i < names->count; i++) {
		const struct hetzner_named *named = hetzner_named_find(all, names->names[i]);

		if (named == NULL) {
			(void)error_set(err, ERR_NOT_FOUND,
					"%s: the project has none with the name or number \"%s\"",
					conf_param_name(param), names->names[i]);
			return error_hint(err, "`hcloud %s list` shows them",
					  param == CONF_SSH_KEYS ? "ssh-key" : "firewall");
		}
		ids[i] = named->id;
	}
	*ret_count = names->count;
	return 0;
}

/* Looked up once: an order with one that was deleted since is refused by the provider. */
static int find_ssh_keys(struct provider *provider, struct error *err)
{
	CLEANUP(cleanup_hetzner_named_list) struct hetzner_named_list all = {0};

	if (conf_text(provider->conf, CONF_SSH_KEYS)[0] == '\0')
		return 0;
	if (hetzner_ssh_keys_list(provider->hetzner, NULL, &all, err) < 0)
		return error_wrap(err, "the SSH keys");
	return find_named(provider->conf, CONF_SSH_KEYS, &all, provider->ssh_key_ids,
			  ARRAY_SIZE(provider->ssh_key_ids), &provider->ssh_key_count, err);
}

static int find_firewalls(struct provider *provider, struct error *err)
{
	CLEANUP(cleanup_hetzner_named_list) struct hetzner_named_list all = {0};

	if (conf_text(provider->conf, CONF_FIREWALLS)[0] == '\0')
		return 0;
	if (hetzner_firewalls_list(provider->hetzner, NULL, &all, err) < 0)
		return error_wrap(err, "the firewalls");
	return find_named(provider->conf, CONF_FIREWALLS, &all, provider->firewall_ids,
			  ARRAY_SIZE(provider->firewall_ids), &provider->firewall_count, err);
}

static int read_spread(const struct conf *conf, bool *ret, struct error *err)
{
	const char *text = conf_text(conf, CONF_PLACEMENT_GROUP);

	*ret = str_eq(text, "spread");
	if (*ret || str_eq(text, "none"))
		return 0;
	return error_set(err, ERR_INVALID, "%s is none or spread, not \"%s\"",
			 conf_param_name(CONF_PLACEMENT_GROUP), text);
}

static int open_fleet(struct provider *provider, struct error *err)
{
	const struct conf *conf = provider->conf;
	struct hetzner_fleet_options options = {
		.hetzner = provider->hetzner,
		.grid_id = provider->grid_id,
		.choices = provider->choices,
		.image = conf_text(conf, CONF_SERVER_IMAGE),
		.network_id = (int64_t)conf_number(conf, CONF_NETWORK_ID),
		.public_ipv4 = is_public_mode(conf) || conf_number(conf, CONF_SERVER_IPV4) != 0,
		.public_list = provider->public_list,
		.ssh_key_ids = provider->ssh_key_ids,
		.firewall_ids = provider->firewall_ids,
		.user_data = make_user_data,
		.context = provider};

	if (server_choices_parse(conf_text(conf, CONF_SERVER_TYPES), provider->choices,
				 FLEET_CHOICES_MAX, &options.choice_count, err) < 0)
		return error_wrap(err, "%s", conf_param_name(CONF_SERVER_TYPES));
	provider->choice_count = options.choice_count;
	if (read_spread(conf, &options.spread, err) < 0 || find_ssh_keys(provider, err) < 0 ||
	    find_firewalls(provider, err) < 0)
		return -1;
	options.ssh_key_count = provider->ssh_key_count;
	options.firewall_count = provider->firewall_count;
	provider->fleet = hetzner_fleet_new(&options, &provider->cloud);
	return 0;
}

static void make_policy(const struct conf *conf, struct fleet_policy *ret)
{
	fleet_policy_default(ret);
	ret->min = conf_number(conf, CONF_WORKERS_MIN);
	ret->max = conf_number(conf, CONF_WORKERS_MAX);
	ret->warm = conf_number(conf, CONF_WORKERS_WARM);
	ret->slots = (uint32_t)conf_number(conf, CONF_SLOTS);
	fleet_policy_set_hour(ret, conf_number(conf, CONF_BILLED_HOUR));
	ret->age_max_ms = conf_number(conf, CONF_WORKER_AGE_MAX);
	/* Its default is one for processes of this computer. */
	if (conf_is_given(conf, CONF_WORKER_START_TIMEOUT))
		ret->start_deadline_ms = conf_number(conf, CONF_WORKER_START_TIMEOUT);
	ret->network_limit = is_public_mode(conf) ? 0 : HETZNER_NETWORK_SERVERS_MAX;
	if (str_eq(conf_text(conf, CONF_PLACEMENT_GROUP), "spread"))
		ret->placement_limit = (uint64_t)HETZNER_GROUPS_MAX * HETZNER_GROUP_SERVERS_MAX;
	ret->spend_limit_micros = (int64_t)conf_number(conf, CONF_SPEND_LIMIT) * 1000000;
	ret->requests_reserve = REQUESTS_RESERVE;
}

/* The event loop blocks the signals that stop the orchestrator, and sees them when its tick is
 * over. A request that hangs would hold it up for longer than a service manager waits. */
bool provider_is_told_to_stop(void *context)
{
	sigset_t pending;

	(void)context;
	return sigpending(&pending) == 0 &&
	       (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

/* A list that an earlier orchestrator has left opens nothing while there is a private network;
 * gone, it cannot do so later either. */
static void prepare_list(struct provider *provider)
{
	const char *path = conf_text(provider->conf, CONF_PUBLIC_WORKERS);

	if (is_public_mode(provider->conf))
		provider->public_list = public_list_new(path);
	else if (unlink(path) != 0 && errno != ENOENT && errno != ENOTDIR)
		log_warning("an old list of public workers is not removed", F_STR("list", path));
}

static int open_parts(struct provider *provider, bool dry_run, struct error *err)
{
	const struct conf *conf = provider->conf;

	provider->pg = pg_new(conf_text(conf, CONF_DATABASE));
	buf_init(&provider->ca_pem, CA_BYTES_MAX);
	if (check_settings(conf, err) < 0 ||
	    hetzner_new_from_environment(&provider->hetzner, err) < 0)
		return -1;
	hetzner_budget_reserve(provider->hetzner, REQUESTS_RESERVE);
	hetzner_interrupt_on(provider->hetzner, provider_is_told_to_stop, NULL);
	if (fs_read(AT_FDCWD, conf_text(conf, CONF_WORKER_CA), &provider->ca_pem, err) < 0) {
		(void)error_wrap(err, "the workers' CA");
		return error_hint(err, "`rgrid db expose` makes it");
	}
	make_worker_conninfo(provider);
	if (read_grid_id(provider, err) < 0 || read_gateway(provider, err) < 0)
		return -1;
	if (!dry_run)
		prepare_list(provider);
	return open_fleet(provider, err);
}

int provider_open_parts(const struct conf *conf, struct provider **ret, struct error *err)
{
	CLEANUP(cleanup_provider) struct provider *provider = xcalloc(1, sizeof(*provider));

	provider->conf = conf;
	/* A server that is no worker is on no list: it could not fetch its programs. */
	if (is_public_mode(conf) && conf_text(conf, CONF_PUBLIC_DB_IP)[0] != '\0') {
		(void)error_set(err, ERR_CONFLICT,
				"this needs a private network, and there is none");
		return error_hint(err, "rgrid network setup");
	}
	if (open_parts(provider, true, err) < 0)
		return -1;
	*ret = TAKE_PTR(provider);
	return 0;
}

void provider_parts(const struct provider *provider, struct provider_parts *ret)
{
	*ret = (struct provider_parts){
		.hetzner = provider->hetzner,
		.pg = provider->pg,
		.grid_id = provider->grid_id,
		.gateway = provider->gateway,
		.ca_pem = provider->ca_pem.data,
		.choices = provider->choices,
		.choice_count = provider->choice_count,
		.ssh_key_ids = provider->ssh_key_ids,
		.ssh_key_count = provider->ssh_key_count,
		.firewall_ids = provider->firewall_ids,
		.firewall_count = provider->firewall_count,
	};
}

int provider_open(const struct conf *conf, bool dry_run, struct provider **ret,
		  struct orchestrator_options *ret_options, struct error *err)
{
	CLEANUP(cleanup_provider) struct provider *provider = xcalloc(1, sizeof(*provider));
	struct fleet_policy policy;

	provider->conf = conf;
	make_policy(conf, &policy);
	provider->start_deadline_ms = policy.start_deadline_ms;
	if (open_parts(provider, dry_run, err) < 0)
		return -1;
	tell(provider);
	*ret_options = (struct orchestrator_options){
		.conninfo = conf_text(conf, CONF_DATABASE),
		.worker_conninfo = provider->worker_conninfo.data,
		.name_prefix = NAME_PREFIX,
		.policy = policy,
		.cloud = &provider->cloud,
	};
	*ret = TAKE_PTR(provider);
	return 0;
}

void provider_free(struct provider *provider)
{
	if (provider == NULL)
		return;
	hetzner_fleet_free(provider->fleet);
	public_list_free(provider->public_list);
	hetzner_free(provider->hetzner);
	pg_free(provider->pg);
	buf_release(&provider->ca_pem);
	buf_release(&provider->worker_conninfo);
	free(provider);
}

void cleanup_provider(struct provider **provider)
{
	provider_free(*provider);
}
