#include "setup/doctor_hba.h"

#include "base/str.h"
#include "core/ipv4.h"
#include "store/pg.h"
#include "store/queries.h"

/* Whether the workers' ranges hold all of the rule's. */
static bool is_of_workers(const struct db_exposure *exposure, const char *address,
			  const char *netmask)
{
	struct ipv4_range range = {0};
	struct error err = {0};
	uint32_t first = 0;
	uint32_t mask = 0;

	if (ipv4_parse(address, &first, &err) < 0 || ipv4_parse(netmask, &mask, &err) < 0)
		return false;
	for (size_t i = 0; i < exposure->source_count; i++) {
		if (ipv4_range_parse(exposure->sources[i], &range, &err) == 0 &&
		    (!exposure->is_public || range.prefix == 32) && ipv4_range_has(range, first) &&
		    ipv4_range_has(range, first | ~mask))
			return true;
	}
	return false;
}

/* Whether a rule lets somebody in who is not on this machine, and how it is wrong to do so; NULL if
 * not. */
static const char *rule_fault(const PGresult *rules, int row, const struct db_exposure *exposure)
{
	const char *type = pg_get_text(rules, row, 1);
	const char *address = pg_get_text(rules, row, 2);
	const char *method = pg_get_text(rules, row, 4);

	if (str_has_prefix(address, "127.") || str_eq(address, "::1") || str_eq(method, "reject") ||
	    str_eq(address, "localhost"))
		return NULL;
	if (!str_eq(method, "scram-sha-256") && !str_eq(method, "cert"))
		return method;
	if (!str_eq(type, "hostssl"))
		return "no TLS";
	return is_of_workers(exposure, address, pg_get_text(rules, row, 3))
		       ? NULL
		       : "a range that is not the workers'";
}

void doctor_hba_fault(const struct pg_debian *cluster, const struct db_exposure *exposure,
		      struct finding *ret)
{
	CLEANUP(cleanup_pg) struct pg *pg = NULL;
	CLEANUP(cleanup_pgresult) PGresult *rules = NULL;
	struct error err = {0};

	if (pg_debian_connect(cluster, &pg, &err) < 0 ||
	    pg_run(pg, &query_exposure_hba_rules, NULL, &rules, &err) < 0) {
		finding_broken(ret, "%s", err.msg);
		return;
	}
	for (int row = 0; row < PQntuples(rules); row++) {
		const char *fault = rule_fault(rules, row, exposure);
		if (fault != NULL) {
			finding_broken(ret, "pg_hba.conf, line %lld, lets %s in with %s",
				       (long long)pg_get_i64(rules, row, 0),
				       pg_get_text(rules, row, 2), fault);
			return;
		}
	}
	finding_broken(ret, "RGrid's block at the top of pg_hba.conf is missing, or was edited");
}
