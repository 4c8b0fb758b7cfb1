/* Jobs as JSON, from rows of rg.job_view. */
#pragma once

#include <jansson.h>

#include "store/pg.h"

/* The columns of rg.job_view, in order. */
enum job_column {
	JOB_COLUMN_ID,
	JOB_COLUMN_PROJECT_ID,
	JOB_COLUMN_BATCH_ID,
	JOB_COLUMN_BATCH_INDEX,
	JOB_COLUMN_NAME,
	JOB_COLUMN_LABELS,
	JOB_COLUMN_CREATED_US,
	JOB_COLUMN_STATE,
	JOB_COLUMN_PLACE,
	JOB_COLUMN_ATTEMPT,
	JOB_COLUMN_RUN_AT_US,
	JOB_COLUMN_WAIT_REASON,
	JOB_COLUMN_PARALLEL_LIMIT,
	JOB_COLUMN_WORKER_ID,
	JOB_COLUMN_STARTED_US,
	JOB_COLUMN_FINISHED_US,
	JOB_COLUMN_OUTCOME,
	JOB_COLUMN_EXIT_CODE,
	JOB_COLUMN_MESSAGE,
	JOB_COLUMN_CPU_US,
	JOB_COLUMN_MEMORY_PEAK_BYTES,
	JOB_COLUMN_RUN_US,
	JOB_COLUMN_STDOUT_BYTES,
	JOB_COLUMN_STDERR_BYTES,
	JOB_COLUMN_UNENFORCED,
	JOB_COLUMN_COUNT,
};

enum job_place { PLACE_ENDED = 0, PLACE_READY, PLACE_DELAYED, PLACE_PARKED, PLACE_LEASED };

#define JOB_REASON_WAITING "waiting for a free worker slot"

/* The job in `row`, whose columns begin at `first`; without "spec". */
json_t *job_view_json(const PGresult *result, int row, int first);
/* Why it waits, in words; null when it does not. */
json_t *job_view_reason(const PGresult *result, int row, int first);

/* Members from columns: null where the column is NULL. */
json_t *column_text(const PGresult *result, int row, int column);
json_t *column_number(const PGresult *result, int row, int column);
json_t *column_time(const PGresult *result, int row, int column); /* microseconds */
json_t *column_json(const PGresult *result, int row, int column,
		    json_t *instead);					  /* takes instead */
json_t *column_id(const PGresult *result, int row, int column, int kind); /* enum id_kind */
json_t *column_sha256(const PGresult *result, int row, int column);
