/* JSON over jansson. Building is jansson's own API (json_pack and friends). Reading bytes from
 * outside is strict: duplicate keys, non-UTF-8 and trailing bytes are refused, and the reader
 * below names the field in every error and refuses members that nobody asked for. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

static inline void cleanup_json(json_t **json)
{
	json_decref(*json);
}

/* A new reference; ERR_INVALID with line and column otherwise. */
MUST_CHECK int json_parse(const char *data, size_t bytes, json_t **ret, struct error *err);
/* Compact text, to be freed. */
char *json_to_text(const json_t *json);

/* Reads one object, member by member. The first failure sticks in `err` (caller's) and all later
 * calls do nothing, so that callers read all members, then ask once:
 *
 *	struct json_reader reader;
 *	json_reader_init(&reader, object, "limits", err);
 *	json_read_u64(&reader, "memory_bytes", 1 << 20, 1ULL << 40, &limits.memory_bytes);
 *	return json_reader_finish(&reader);
 *
 * Optional members: `json_read_*` leave *ret untouched when the member is absent or null;
 * call json_require(&reader, "name") for those that must be there. */
#define JSON_READER_MEMBERS_MAX 48
struct json_reader {
	const json_t *object;
	char path[96]; /* "" or "jobs[3].limits" */
	struct error *err;
	bool failed;
	const char *seen[JSON_READER_MEMBERS_MAX];
	size_t seen_count;
};

void json_reader_init(struct json_reader *reader, const json_t *object, const char *path,
		      struct error *err);
void json_require(struct json_reader *reader, const char *name);
/* Borrowed text, within [bytes_min, bytes_max], without NUL inside. */
void json_read_str(struct json_reader *reader, const char *name, size_t bytes_min, size_t bytes_max,
		   const char **ret);
void json_read_u64(struct json_reader *reader, const char *name, uint64_t min, uint64_t max,
		   uint64_t *ret);
void json_read_bool(struct json_reader *reader, const char *name, bool *ret);
/* A number, fractions allowed, as thousandths ("cpus": 0.5 gives 500). */
void json_read_millis(struct json_reader *reader, const char *name, uint64_t min, uint64_t max,
		      uint64_t *ret);
/* Borrowed; of that type, with at most count_max elements. */
void json_read_array(struct json_reader *reader, const char *name, size_t count_max,
		     const json_t **ret);
void json_read_object(struct json_reader *reader, const char *name, size_t count_max,
		      const json_t **ret);
/* Fails with a message about one member found wrong by the caller. */
PRINTF_FORMAT(3, 4)
void json_reader_fail(struct json_reader *reader, const char *name, const char *format, ...);
/* 0 or -1; also refuses members that were never read, with a "did you mean". */
MUST_CHECK int json_reader_finish(struct json_reader *reader);
