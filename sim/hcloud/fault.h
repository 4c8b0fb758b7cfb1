/* Faults: what the simulator does wrong on purpose. One is a JSON object, `{"kind": "status",
 * "method": "POST", "path": "/servers", "status": "502", "count": 1}`, or the same in one line:
 * `status:method=POST,path=/servers,status=502`. kinds and their keys are in faults.def.
 *
 * A key of a fault that also describes the event at hand (method, path, type, location, command …)
 * must match it, as a shell pattern; the others say what happens. `skip` lets the first ones pass,
 * `count` is how often it strikes (0: always), `for` how many milliseconds it lives. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum fault_kind {
	FAULT_NONE = 0,
#define X(name, word, count, keys) FAULT_##name,
#include "hcloud/faults.def"
#undef X
	FAULT_MAX
};

struct faults {
	json_t *list; /* array of objects with "id" and "hits" */
	int64_t next_id;
};

/* What the event at hand is; ended by a NULL key. Values may be NULL: unknown, matches only "*". */
struct fault_subject {
	const char *key;
	const char *value;
};

void faults_init(struct faults *faults);
void faults_release(struct faults *faults);
/* "kind:key=value,…" to an object; a comma in a value is written \, */
MUST_CHECK int fault_parse(const char *spec, json_t **ret, struct error *err);
/* Checks the object's kind and keys and adds it; takes the reference. ret_id may be NULL. */
MUST_CHECK int faults_add(struct faults *faults, json_t *fault, int64_t *ret_id, struct error *err);
bool faults_remove(struct faults *faults, int64_t id); /* false when there is none */
void faults_clear(struct faults *faults);
/* The first that strikes, counted as a hit; borrowed until the next call that changes the list. */
const json_t *faults_strike(struct faults *faults, enum fault_kind kind,
			    const struct fault_subject *subject);
const char *fault_str(const json_t *fault, const char *key, const char *absent);
int64_t fault_int(const json_t *fault, const char *key, int64_t absent);
