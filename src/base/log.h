/* Structured logging to stderr: a constant event name and typed fields. logfmt on a terminal, one
 * JSON object a line otherwise; "<N>" priority prefixes when stderr is the journal. Only the
 * shells (main, cli, api, orchestrator, worker, setup) log at info or above; lower rooms report
 * through `struct error`. Thread-safe: one write(2) a line. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum log_level { LOG_LEVEL_DEBUG = 1, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

enum log_field_kind { LOG_FIELD_STR = 1, LOG_FIELD_INT, LOG_FIELD_SECRET };

struct log_field {
	const char *key;
	enum log_field_kind kind;
	const char *str;
	int64_t number;
};

#define F_STR(k, v) ((struct log_field){.key = (k), .kind = LOG_FIELD_STR, .str = (v)})
#define F_INT(k, v) ((struct log_field){.key = (k), .kind = LOG_FIELD_INT, .number = (int64_t)(v)})
/* Prints only the length. */
#define F_SECRET(k, v) ((struct log_field){.key = (k), .kind = LOG_FIELD_SECRET, .str = (v)})
#define F_ERROR(e)     F_STR("error", (e)->msg), F_STR("code", error_code_name((e)->code))

/* Name of the program in every line, and the least level written. Not thread-safe; call first. */
void log_init(const char *program, enum log_level least);
MUST_CHECK int log_level_parse(const char *text, enum log_level *ret, struct error *err);

/* Fields added to every line of the calling thread (request id, job id); copied. */
void log_context_set(const char *key, const char *value); /* NULL value removes it; at most 4 */

void log_emit(enum log_level level, const char *event, const struct log_field *fields,
	      size_t count);

/* log_info("job.claimed", F_STR("job", id), F_INT("attempt", n)); without fields works too: the
 * empty last field is what makes the list never empty, and is not counted. */
#define LOG_AT_(level, event, ...)                                          \
	log_emit((level), (event), (const struct log_field[]){__VA_ARGS__}, \
		 sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field) - 1)
#define LOG_FIELDS_END_	 ((struct log_field){.key = NULL})
#define log_debug(...)	 LOG_AT_(LOG_LEVEL_DEBUG, __VA_ARGS__, LOG_FIELDS_END_)
#define log_info(...)	 LOG_AT_(LOG_LEVEL_INFO, __VA_ARGS__, LOG_FIELDS_END_)
#define log_warning(...) LOG_AT_(LOG_LEVEL_WARNING, __VA_ARGS__, LOG_FIELDS_END_)
#define log_error(...)	 LOG_AT_(LOG_LEVEL_ERROR, __VA_ARGS__, LOG_FIELDS_END_)
