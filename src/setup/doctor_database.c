/* Checks of the database, from where the control plane runs. */
#include "setup/doctor.h"
#include "store/migrate.h"
#include "store/pg.h"

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

static const struct check checks[] = {
	{"db-answers", "the database", check_answers},
	{"db-schema", "the database's schema", check_schema},
};

const struct check_table doctor_database = {"database", checks, ARRAY_SIZE(checks)};
