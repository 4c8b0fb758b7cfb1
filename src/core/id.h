/* Public ids: "job_" and 13 base32 digits of a 63-bit integer whose high bits are milliseconds, so
 * that ids sort by time. Inside, and in the database, ids are int64. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum id_kind { ID_JOB = 1, ID_BATCH, ID_WORKER, ID_PROJECT, ID_KEY, ID_KIND_MAX };

#define ID_TEXT_BYTES 32
/* "job_06f2k…"; returns out. */
const char *id_format(enum id_kind kind, int64_t id, char out[ID_TEXT_BYTES]);
/* Accepts the whole id or a prefix of it, with or without "job_": the range of ids meant, both ends
 * inclusive. A whole id gives low == high. False if it cannot be one. */
bool id_parse(enum id_kind kind, const char *text, int64_t *ret_low, int64_t *ret_high);
const char *id_kind_prefix(enum id_kind kind); /* "job_" */
