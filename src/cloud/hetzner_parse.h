/* Replies of the API, read as hostile bytes: what is missing, of the wrong type, too long or out of
 * range is an error that names the member; members that nobody asked for are passed over, because
 * the API grows. Pure.
 *
 * The first failure sticks in the reader and all later reads do nothing, so that callers read all
 * members, then ask once. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json.h"
#include "cloud/hetzner.h"

#define HETZNER_ID_MAX INT64_C(9007199254740991) /* 2^53 - 1, the API's word */

struct hetzner_reader {
	struct error *err;
	bool failed;
};

/* Members of an object. `what` names the object in errors ("server"). */
void hetzner_read_id(struct hetzner_reader *reader, const json_t *object, const char *name,
		     int64_t *ret);
/* Absent and null leave 0. */
void hetzner_read_optional_id(struct hetzner_reader *reader, const json_t *object, const char *name,
			      int64_t *ret);
void hetzner_read_text(struct hetzner_reader *reader, const json_t *object, const char *name,
		       char *out, size_t out_bytes);
/* Words of people, of any length: cut between characters. */
void hetzner_read_cut_text(struct hetzner_reader *reader, const json_t *object, const char *name,
			   char *out, size_t out_bytes);
/* Absent and null leave "". */
void hetzner_read_optional_cut_text(struct hetzner_reader *reader, const json_t *object,
				    const char *name, char *out, size_t out_bytes);
void hetzner_read_optional_text(struct hetzner_reader *reader, const json_t *object,
				const char *name, char *out, size_t out_bytes);
void hetzner_read_count(struct hetzner_reader *reader, const json_t *object, const char *name,
			uint64_t max, uint64_t *ret);
/* A number that may have a fraction, times `scale`, rounded down: 0.5 GiB of memory. */
void hetzner_read_scaled(struct hetzner_reader *reader, const json_t *object, const char *name,
			 uint64_t scale, uint64_t *ret);
/* Absent and null leave *ret as it is. */
void hetzner_read_bool(struct hetzner_reader *reader, const json_t *object, const char *name,
		       bool *ret);
/* Microseconds since 1970 of "2026-01-30T23:55:00Z" or "…+00:00", fractions allowed. */
void hetzner_read_time(struct hetzner_reader *reader, const json_t *object, const char *name,
		       int64_t *ret_us);
void hetzner_read_optional_time(struct hetzner_reader *reader, const json_t *object,
				const char *name, int64_t *ret_us);
/* Borrowed; NULL once failed. An object or array that must be there. */
const json_t *hetzner_read_object(struct hetzner_reader *reader, const json_t *object,
				  const char *name);
/* NULL when it is absent or null. */
const json_t *hetzner_read_optional_object(struct hetzner_reader *reader, const json_t *object,
					   const char *name);
const json_t *hetzner_read_array(struct hetzner_reader *reader, const json_t *object,
				 const char *name, size_t count_max);
/* Absent is none; those for which there is no room are counted as omitted. */
void hetzner_read_labels(struct hetzner_reader *reader, const json_t *object,
			 struct hetzner_labels *ret);
PRINTF_FORMAT(2, 3)
void hetzner_reader_fail(struct hetzner_reader *reader, const char *format, ...);

/* "0.0088000000000000" euros: micro-euros, rounded half up, so that no price is understated by more
 * than half of one. Returns false for what is no amount, or is more than a million euros. */
bool hetzner_parse_micros(const char *text, int64_t *ret_micros);
bool hetzner_parse_time(const char *text, int64_t *ret_us);

/* Whole objects. The return value of all: 0, or -1 with err. */
int hetzner_parse_network(const json_t *json, struct hetzner_network *ret, struct error *err);
void hetzner_network_release(struct hetzner_network *network);
int hetzner_parse_server(const json_t *json, struct hetzner_server *ret, struct error *err);
int hetzner_parse_server_type(const json_t *json, struct hetzner_server_type *ret,
			      struct error *err);
int hetzner_parse_location(const json_t *json, struct hetzner_location *ret, struct error *err);
int hetzner_parse_image(const json_t *json, struct hetzner_image *ret, struct error *err);
/* An ssh key, a firewall, a placement group. */
int hetzner_parse_named(const json_t *json, struct hetzner_named *ret, struct error *err);
int hetzner_parse_pricing(const json_t *json, struct hetzner_pricing *ret, struct error *err);
int hetzner_parse_action(const json_t *json, struct hetzner_action *ret, struct error *err);
/* The ids of "action", which must be there, and of "next_actions", which may. */
int hetzner_parse_actions_begun(const json_t *reply, struct hetzner_actions *ret,
				struct error *err);
