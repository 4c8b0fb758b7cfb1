/* A document: one resource, as a JSON object. It holds what the API shows and, in members whose
 * names begin with '_', what only the simulator knows; doc_public leaves those out. That everything
 * is a document is why state can be saved, listed, sorted and filtered in one place each.
 *
 * A table holds the documents of one kind in ascending order of id, and owns them. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum kind {
	KIND_NONE = 0,
#define X(name, singular, plural, title, in_project) KIND_##name,
#include "hcloud/kinds.def"
#undef X
	KIND_MAX
};

const char *kind_singular(enum kind kind); /* "ssh_key" */
const char *kind_plural(enum kind kind);   /* "ssh_keys" */
const char *kind_title(enum kind kind);	   /* "SSH key" */
bool kind_is_in_project(enum kind kind);
enum kind kind_parse(const char *singular); /* KIND_NONE for a word that is none */

/* Members of documents that the simulator wrote itself: absent ones are a bug or, where said, a
 * default. */
int64_t doc_id(const json_t *doc);
int64_t doc_int(const json_t *doc, const char *name);	  /* 0 when absent or null */
const char *doc_str(const json_t *doc, const char *name); /* NULL when absent or null */
bool doc_bool(const json_t *doc, const char *name);	  /* false when absent */
/* False when there is no `outer` or no `inner` in it: doc_flag(server, "protection", "delete"). */
bool doc_flag(const json_t *doc, const char *outer, const char *inner);

void doc_set(json_t *doc, const char *name, json_t *value_new); /* takes the reference */
void doc_set_str(json_t *doc, const char *name, const char *value);
void doc_set_int(json_t *doc, const char *name, int64_t value);
void doc_set_bool(json_t *doc, const char *name, bool value);
/* A deep copy without the members that begin with '_'. */
json_t *doc_public(const json_t *doc);

struct table {
	json_t **docs;
	size_t count;
	size_t capacity;
};

void table_release(struct table *table);
/* Takes the reference; the id is greater than all before. Returns it, borrowed. */
json_t *table_add(struct table *table, json_t *doc);
json_t *table_find(const struct table *table, int64_t id); /* borrowed, or NULL */
json_t *table_find_name(const struct table *table, const char *name);
void table_remove(struct table *table, int64_t id);
