#include "api/spec_list.h"

#include <stdlib.h>
#include <string.h>

#include "api/refuse.h"
#include "base/check.h"
#include "core/limits.h"
#include "store/queries.h"

void spec_list_release(struct spec_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		job_spec_release(&list->specs[i]);
	free(list->specs);
	free(list->paths);
	*list = (struct spec_list){0};
}

static void make_room(struct spec_list *list, size_t count)
{
	list->specs = xcalloc(count, sizeof(list->specs[0]));
	list->paths = xcalloc(count, sizeof(list->paths[0]));
}

int spec_list_read_one(const json_t *json, struct spec_list *ret, struct error *err)
{
	CLEANUP(cleanup_spec_list) struct spec_list list = {0};

	make_room(&list, 1);
	if (job_spec_read(json, "", &list.specs[0], err) < 0)
		return -1;
	list.count = 1;
	*ret = list;
	list = (struct spec_list){0};
	return 0;
}

int spec_list_read(const json_t *array, struct spec_list *ret, struct error *err)
{
	CLEANUP(cleanup_spec_list) struct spec_list list = {0};
	size_t count = json_array_size(array);

	if (count == 0 || count > LIMIT_BULK_JOBS) {
		return refuse_field(err, "jobs", "must have 1 to %d elements, not %zu",
				    LIMIT_BULK_JOBS, count);
	}
	make_room(&list, count);
	for (size_t i = 0; i < count; i++) {
		(void)snprintf(list.paths[i], sizeof(list.paths[i]), "jobs[%zu]", i);
		if (job_spec_read(json_array_get(array, i), list.paths[i], &list.specs[i], err) < 0)
			return -1;
		list.count++;
	}
	*ret = list;
	list = (struct spec_list){0};
	return 0;
}

/* Blobs */

struct digest_set {
	uint8_t (*items)[SHA256_BYTES];
	size_t count;
	size_t capacity;
};

static void cleanup_digest_set(struct digest_set *set)
{
	free(set->items);
}

static int add_digest(void *context, const uint8_t blob[SHA256_BYTES], const char *field)
{
	struct digest_set *set = context;

	(void)field;
	if (set->count == set->capacity) {
		set->capacity = set->capacity == 0 ? 16 : set->capacity * 2;
		set->items = xreallocarray(set->items, set->capacity, sizeof(set->items[0]));
	}
	memcpy(set->items[set->count++], blob, SHA256_BYTES);
	return 0;
}

static int compare_digests(const void *a, const void *b)
{
	return memcmp(a, b, SHA256_BYTES);
}

static void sort_unique(struct digest_set *set)
{
	size_t kept = 0;

	if (set->count == 0)
		return;
	qsort(set->items, set->count, SHA256_BYTES, compare_digests);
	for (size_t i = 1; i < set->count; i++) {
		if (memcmp(set->items[i], set->items[kept], SHA256_BYTES) != 0)
			memmove(set->items[++kept], set->items[i], SHA256_BYTES);
	}
	set->count = kept + 1;
}

struct blame {
	const struct digest_set *missing;
	const char *path;
	struct error *err;
};

static int blame_field(void *context, const uint8_t blob[SHA256_BYTES], const char *field)
{
	const struct blame *blame = context;
	const struct digest_set *missing = blame->missing;
	char hex[SHA256_HEX_BYTES];

	if (bsearch(blob, missing->items, missing->count, SHA256_BYTES, compare_digests) == NULL)
		return 0;
	sha256_to_hex(blob, hex);
	error_set(blame->err, ERR_UNPROCESSABLE, "%s%s%s: this project has no blob %s", blame->path,
		  blame->path[0] != '\0' ? "." : "", field, hex);
	error_hint(blame->err, "upload it first: PUT /api/v1/blobs/%s", hex);
	error_field(blame->err, "%s%s%s", blame->path, blame->path[0] != '\0' ? "." : "", field);
	return 1;
}

static int blame_first(const struct spec_list *list, const struct digest_set *missing,
		       struct error *err)
{
	for (size_t i = 0; i < list->count; i++) {
		struct blame blame = {.missing = missing, .path = list->paths[i], .err = err};

		if (job_spec_each_blob(&list->specs[i], blame_field, &blame) != 0)
			return -1;
	}
	UNREACHABLE();
}

static int stop_at_any(void *context, const uint8_t blob[SHA256_BYTES], const char *field)
{
	(void)context;
	(void)blob;
	(void)field;
	return 1;
}

bool spec_list_has_blobs(const struct spec_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		if (job_spec_each_blob(&list->specs[i], stop_at_any, NULL) != 0)
			return true;
	}
	return false;
}

int spec_list_check_blobs(const struct spec_list *list, struct pg *pg, int64_t project_id,
			  struct error *err)
{
	CLEANUP(cleanup_digest_set) struct digest_set all = {0};
	CLEANUP(cleanup_digest_set) struct digest_set missing = {0};
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;

	for (size_t i = 0; i < list->count; i++)
		(void)job_spec_each_blob(&list->specs[i], add_digest, &all);
	if (all.count == 0)
		return 0;
	sort_unique(&all);
	pg_param_i64(&params, project_id);
	pg_param_bytes_array(&params, all.items[0], SHA256_BYTES, all.count);
	if (pg_run(pg, &query_blobs_missing, &params, &result, err) < 0)
		return -1;
	for (int row = 0; row < PQntuples(result); row++)
		(void)add_digest(&missing, all.items[pg_get_i64(result, row, 0) - 1], "");
	return missing.count == 0 ? 0 : blame_first(list, &missing, err);
}

/* Submission */

char *spec_labels_text(const struct job_spec *spec)
{
	return spec->labels != NULL && json_object_size(spec->labels) > 0
		       ? json_to_text(spec->labels)
		       : NULL;
}

static void free_texts(char **texts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(texts[i]);
	free(texts);
}

static void add_spec_params(const struct spec_list *list, struct pg_params *params)
{
	char **specs = xcalloc(list->count, sizeof(specs[0]));
	const char **names = xcalloc(list->count, sizeof(names[0]));
	char **labels = xcalloc(list->count, sizeof(labels[0]));
	int64_t *retries = xcalloc(list->count, sizeof(retries[0]));

	for (size_t i = 0; i < list->count; i++) {
		specs[i] = json_to_text(list->specs[i].json);
		names[i] = list->specs[i].name;
		labels[i] = spec_labels_text(&list->specs[i]);
		retries[i] = (int64_t)list->specs[i].retries;
	}
	pg_param_text_array(params, (const char *const *)specs, list->count);
	pg_param_text_array(params, names, list->count);
	pg_param_text_array(params, (const char *const *)labels, list->count);
	pg_param_i64_array(params, retries, list->count);
	free_texts(specs, list->count);
	free_texts(labels, list->count);
	free(names);
	free(retries);
}

int spec_list_submit(const struct spec_list *list, struct pg *pg, int64_t project_id,
		     int64_t batch_id, int64_t **ret_ids, struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;

	pg_param_i64(&params, project_id);
	if (batch_id != 0)
		pg_param_i64(&params, batch_id);
	else
		pg_param_null(&params);
	add_spec_params(list, &params);
	if (pg_run(pg, &query_submit, &params, &result, err) < 0)
		return -1;
	CHECK((size_t)PQntuples(result) == list->count);
	int64_t *ids = xcalloc(list->count, sizeof(ids[0]));
	for (int row = 0; row < PQntuples(result); row++)
		ids[row] = pg_get_i64(result, row, 0);
	*ret_ids = ids;
	return 0;
}
