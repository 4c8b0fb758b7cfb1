#include "api/job_view.h"

#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "core/id.h"
#include "core/job.h"

json_t *column_text(const PGresult *result, int row, int column)
{
	const char *text = pg_get_text_or_null(result, row, column);

	return text != NULL ? json_string(text) : json_null();
}

json_t *column_number(const PGresult *result, int row, int column)
{
	return pg_get_text_or_null(result, row, column) != NULL
		       ? json_integer(pg_get_i64(result, row, column))
		       : json_null();
}

json_t *column_time(const PGresult *result, int row, int column)
{
	char text[CLOCK_RFC3339_BYTES];

	if (pg_get_text_or_null(result, row, column) == NULL)
		return json_null();
	return json_string(clock_format_rfc3339(pg_get_i64(result, row, column), text));
}

json_t *column_json(const PGresult *result, int row, int column, json_t *instead)
{
	const char *text = pg_get_text_or_null(result, row, column);
	json_t *json = NULL;
	struct error ignored;

	if (text == NULL)
		return instead;
	json_decref(instead);
	CHECK(json_parse(text, strlen(text), &json, &ignored) == 0);
	return json;
}

json_t *column_id(const PGresult *result, int row, int column, int kind)
{
	char id[ID_TEXT_BYTES];

	if (pg_get_text_or_null(result, row, column) == NULL)
		return json_null();
	return json_string(id_format((enum id_kind)kind, pg_get_i64(result, row, column), id));
}

json_t *column_sha256(const PGresult *result, int row, int column)
{
	/* The text form of bytea is \x and the digits. */
	const char *text = pg_get_text(result, row, column);

	CHECK(strlen(text) == SHA256_HEX_BYTES + 1);
	return json_string(text + 2);
}

json_t *job_view_reason(const PGresult *result, int row, int first)
{
	char time[CLOCK_RFC3339_BYTES];

	switch ((enum job_place)pg_get_i64(result, row, first + JOB_COLUMN_PLACE)) {
	case PLACE_READY:
		return json_string(JOB_REASON_WAITING);
	case PLACE_DELAYED:
		if (pg_get_text_or_null(result, row, first + JOB_COLUMN_RUN_AT_US) == NULL)
			return column_text(result, row, first + JOB_COLUMN_WAIT_REASON);
		return json_sprintf(
			"attempt %lld is due at %s: %s",
			(long long)pg_get_i64(result, row, first + JOB_COLUMN_ATTEMPT),
			clock_format_rfc3339(pg_get_i64(result, row, first + JOB_COLUMN_RUN_AT_US),
					     time),
			pg_get_text(result, row, first + JOB_COLUMN_WAIT_REASON));
	case PLACE_PARKED:
		return json_sprintf(
			"the batch's limit of %lld jobs at a time is reached",
			(long long)pg_get_i64(result, row, first + JOB_COLUMN_PARALLEL_LIMIT));
	case PLACE_ENDED:
	case PLACE_LEASED:
		return json_null();
	}
	UNREACHABLE();
}

static json_t *usage_json(const PGresult *result, int row, int first)
{
	if (pg_get_text_or_null(result, row, first + JOB_COLUMN_FINISHED_US) == NULL)
		return json_null();
	return json_pack("{s:o, s:o, s:o}", "cpu_us",
			 column_number(result, row, first + JOB_COLUMN_CPU_US), "memory_peak_bytes",
			 column_number(result, row, first + JOB_COLUMN_MEMORY_PEAK_BYTES), "run_us",
			 column_number(result, row, first + JOB_COLUMN_RUN_US));
}

json_t *job_view_json(const PGresult *result, int row, int first)
{
	enum job_state state = (enum job_state)pg_get_i64(result, row, first + JOB_COLUMN_STATE);
	enum outcome outcome = (enum outcome)pg_get_i64(result, row, first + JOB_COLUMN_OUTCOME);
	json_t *json =
		json_pack("{s:o, s:o, s:o, s:o, s:s, s:o}", "id",
			  column_id(result, row, first + JOB_COLUMN_ID, ID_JOB), "batch_id",
			  column_id(result, row, first + JOB_COLUMN_BATCH_ID, ID_BATCH),
			  "batch_index", column_number(result, row, first + JOB_COLUMN_BATCH_INDEX),
			  "name", column_text(result, row, first + JOB_COLUMN_NAME), "state",
			  job_state_name(state), "reason", job_view_reason(result, row, first));
	json_t *rest = json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:{s:o, s:o}, s:o}",
		"created_at", column_time(result, row, first + JOB_COLUMN_CREATED_US), "started_at",
		column_time(result, row, first + JOB_COLUMN_STARTED_US), "finished_at",
		column_time(result, row, first + JOB_COLUMN_FINISHED_US), "attempt",
		column_number(result, row, first + JOB_COLUMN_ATTEMPT), "outcome",
		outcome == OUTCOME_NONE ? json_null() : json_string(outcome_name(outcome)),
		"exit_code", column_number(result, row, first + JOB_COLUMN_EXIT_CODE), "message",
		column_text(result, row, first + JOB_COLUMN_MESSAGE), "worker_id",
		column_id(result, row, first + JOB_COLUMN_WORKER_ID, ID_WORKER), "unenforced",
		column_json(result, row, first + JOB_COLUMN_UNENFORCED, json_array()), "usage",
		usage_json(result, row, first), "log_bytes", "stdout",
		column_number(result, row, first + JOB_COLUMN_STDOUT_BYTES), "stderr",
		column_number(result, row, first + JOB_COLUMN_STDERR_BYTES), "labels",
		column_json(result, row, first + JOB_COLUMN_LABELS, json_object()));

	CHECK(json != NULL);
	CHECK(rest != NULL);
	CHECK(json_object_update_new(json, rest) == 0);
	return json;
}
