#include "hcloud/doc.h"

#include "base/check.h"
#include "base/error.h"
#include "base/str.h"

static const struct {
	const char *singular;
	const char *plural;
	const char *title;
	bool in_project;
} kinds[KIND_MAX] = {
#define X(name, singular, plural, title, in_project) \
	[KIND_##name] = {singular, plural, title, in_project},
#include "hcloud/kinds.def"
#undef X
};

const char *kind_singular(enum kind kind)
{
	CHECK(kind > KIND_NONE && kind < KIND_MAX);
	return kinds[kind].singular;
}

const char *kind_plural(enum kind kind)
{
	CHECK(kind > KIND_NONE && kind < KIND_MAX);
	return kinds[kind].plural;
}

const char *kind_title(enum kind kind)
{
	CHECK(kind > KIND_NONE && kind < KIND_MAX);
	return kinds[kind].title;
}

bool kind_is_in_project(enum kind kind)
{
	CHECK(kind > KIND_NONE && kind < KIND_MAX);
	return kinds[kind].in_project;
}

enum kind kind_parse(const char *singular)
{
	for (enum kind kind = KIND_NONE + 1; kind < KIND_MAX; kind++) {
		if (str_eq(kinds[kind].singular, singular))
			return kind;
	}
	return KIND_NONE;
}

int64_t doc_id(const json_t *doc)
{
	return doc_int(doc, "id");
}

int64_t doc_int(const json_t *doc, const char *name)
{
	return json_integer_value(json_object_get(doc, name));
}

const char *doc_str(const json_t *doc, const char *name)
{
	return json_string_value(json_object_get(doc, name));
}

bool doc_bool(const json_t *doc, const char *name)
{
	return json_is_true(json_object_get(doc, name));
}

bool doc_flag(const json_t *doc, const char *outer, const char *inner)
{
	return json_is_true(json_object_get(json_object_get(doc, outer), inner));
}

void doc_set(json_t *doc, const char *name, json_t *value_new)
{
	CHECK(value_new != NULL);
	CHECK(json_object_set_new(doc, name, value_new) == 0);
}

void doc_set_str(json_t *doc, const char *name, const char *value)
{
	doc_set(doc, name, value ? json_string(value) : json_null());
}

void doc_set_int(json_t *doc, const char *name, int64_t value)
{
	doc_set(doc, name, json_integer(value));
}

void doc_set_bool(json_t *doc, const char *name, bool value)
{
	doc_set(doc, name, json_boolean(value));
}

json_t *doc_public(const json_t *doc)
{
	json_t *copy = json_object();
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)doc, name, value) {
		if (name[0] != '_')
			doc_set(copy, name, json_deep_copy(value));
	}
	return copy;
}

void table_release(struct table *table)
{
	for (size_t i = 0; i < table->count; i++)
		json_decref(table->docs[i]);
	free(table->docs);
	*table = (struct table){0};
}

json_t *table_add(struct table *table, json_t *doc)
{
	CHECK(doc != NULL);
	CHECK(table->count == 0 || doc_id(table->docs[table->count - 1]) < doc_id(doc));
	if (table->count == table->capacity) {
		table->capacity = table->capacity ? 2 * table->capacity : 16;
		table->docs = xreallocarray(table->docs, table->capacity, sizeof(json_t *));
	}
	table->docs[table->count++] = doc;
	return doc;
}

/* Where the id is, or would be. */
static size_t position(const struct table *table, int64_t id)
{
	size_t low = 0;
	size_t high = table->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (doc_id(table->docs[middle]) < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

json_t *table_find(const struct table *table, int64_t id)
{
	size_t at = position(table, id);

	return at < table->count && doc_id(table->docs[at]) == id ? table->docs[at] : NULL;
}

json_t *table_find_name(const struct table *table, const char *name)
{
	for (size_t i = 0; i < table->count; i++) {
		const char *own = doc_str(table->docs[i], "name");

		if (own && str_eq(own, name))
			return table->docs[i];
	}
	return NULL;
}

void table_remove(struct table *table, int64_t id)
{
	size_t at = position(table, id);

	CHECK(at < table->count && doc_id(table->docs[at]) == id);
	json_decref(table->docs[at]);
	table->count--;
	memmove(&table->docs[at], &table->docs[at + 1],
		(table->count - at) * sizeof(table->docs[0]));
}
