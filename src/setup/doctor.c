#include "setup/doctor.h"

#include <stdarg.h>

#include "base/check.h"
#include "base/json.h"

static const struct check_table *const all_tables[] = {
	&doctor_environment,  &doctor_api,   &doctor_network, &doctor_choices,
	&doctor_orchestrator, &doctor_fleet, &doctor_database};

PRINTF_FORMAT(3, 0)
static void fill(struct finding *ret, enum finding_state state, const char *format, va_list args)
{
	*ret = (struct finding){.state = state};
	(void)vsnprintf(ret->evidence, sizeof(ret->evidence), format, args);
}

void finding_ok(struct finding *ret, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fill(ret, FINDING_OK, format, args);
	va_end(args);
}

void finding_warn(struct finding *ret, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fill(ret, FINDING_WARN, format, args);
	va_end(args);
}

void finding_broken(struct finding *ret, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fill(ret, FINDING_BROKEN, format, args);
	va_end(args);
}

void finding_skipped(struct finding *ret, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fill(ret, FINDING_SKIPPED, format, args);
	va_end(args);
}

void finding_fix(struct finding *finding, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)vsnprintf(finding->fix, sizeof(finding->fix), format, args);
	va_end(args);
}

const char *finding_state_name(enum finding_state state)
{
	static const char *const names[] = {[FINDING_OK] = "ok",
					    [FINDING_WARN] = "warn",
					    [FINDING_BROKEN] = "broken",
					    [FINDING_SKIPPED] = "skipped"};
	return names[state];
}

static json_t *finding_json(const struct check_table *table, const struct check *check,
			    const struct finding *finding)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s?}", "id", check->id, "group", table->name,
			 "title", check->title, "finding", finding_state_name(finding->state),
			 "evidence", finding->evidence, "fix",
			 finding->fix[0] != '\0' ? finding->fix : NULL);
}

static void finding_print(const struct check *check, const struct finding *finding)
{
	(void)printf("%-8s %s: %s\n", finding_state_name(finding->state), check->title,
		     finding->evidence);
	if (finding->fix[0] != '\0')
		(void)printf("         fix: %s\n", finding->fix);
	(void)fflush(stdout);
}

/* Returns how many are broken. items: NULL prints text. */
static size_t run_table(struct doctor *doctor, const struct check_table *table, json_t *items)
{
	size_t broken_count = 0;

	for (size_t i = 0; i < table->count; i++) {
		struct finding finding = {0};
		table->checks[i].run(doctor, &finding);
		CHECK(finding.state != 0);
		if (items != NULL)
			(void)json_array_append_new(
				items, finding_json(table, &table->checks[i], &finding));
		else
			finding_print(&table->checks[i], &finding);
		broken_count += finding.state == FINDING_BROKEN;
	}
	return broken_count;
}

int doctor_run_tables(const struct doctor_options *options, const struct check_table *const *tables,
		      size_t count, struct error *err)
{
	CLEANUP(cleanup_doctor) struct doctor *doctor = doctor_new(options);
	CLEANUP(cleanup_json) json_t *items = options->json ? json_array() : NULL;
	size_t broken_count = 0;

	for (size_t i = 0; i < count; i++)
		broken_count += run_table(doctor, tables[i], items);
	if (items != NULL) {
		CLEANUP(cleanup_json)
		json_t *all = json_pack("{s:b, s:O}", "broken", broken_count > 0, "checks", items);
		CLEANUP(cleanup_free) char *text = json_to_text(all);
		(void)puts(text);
	}
	if (broken_count == 0)
		return 0;
	return error_set(err, ERR_CONFLICT, "%zu check%s found something broken", broken_count,
			 broken_count == 1 ? "" : "s");
}

int doctor_run(const struct doctor_options *options, struct error *err)
{
	return doctor_run_tables(options, all_tables, ARRAY_SIZE(all_tables), err);
}
