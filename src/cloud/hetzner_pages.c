#include "cloud/hetzner_pages.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "cloud/hetzner_parse.h"

/* What stands in meta.pagination of a page; 0 for null. */
struct position {
	uint64_t page, next, last, total;
	bool has_total;
};

/* What one reading of a listing has brought. */
struct entry {
	int64_t id;
	json_t *object;
};
struct reading {
	const struct hetzner_call *first;
	const char *plural;
	struct entry *entries;
	size_t count;
};

static void clear(struct reading *reading)
{
	for (size_t i = 0; i < reading->count; i++)
		json_decref(reading->entries[i].object);
	free(reading->entries);
	reading->entries = NULL;
	reading->count = 0;
}

static void read_optional_count(struct hetzner_reader *reader, const json_t *json, const char *name,
				uint64_t *ret)
{
	const json_t *value = json_object_get(json, name);

	if (value != NULL && !json_is_null(value))
		hetzner_read_count(reader, json, name, UINT32_MAX, ret);
}

static int read_position(const json_t *reply, struct position *ret, struct error *err)
{
	struct hetzner_reader reader = {.err = err};
	const json_t *meta = hetzner_read_object(&reader, reply, "meta");
	const json_t *pagination = hetzner_read_object(&reader, meta, "pagination");
	const json_t *total = json_object_get(pagination, "total_entries");

	*ret = (struct position){.has_total = total != NULL && !json_is_null(total)};
	hetzner_read_count(&reader, pagination, "page", UINT32_MAX, &ret->page);
	read_optional_count(&reader, pagination, "next_page", &ret->next);
	read_optional_count(&reader, pagination, "last_page", &ret->last);
	read_optional_count(&reader, pagination, "total_entries", &ret->total);
	return reader.failed ? -1 : 0;
}

static int take_item(struct reading *reading, json_t *json, struct error *err)
{
	struct hetzner_reader reader = {.err = err};
	void *entries = reading->entries;
	struct entry *entry =
		hetzner_list_grow(&entries, &reading->count, sizeof(*reading->entries));

	reading->entries = entries;
	entry->object = json_incref(json);
	hetzner_read_id(&reader, json, "id", &entry->id);
	return reader.failed ? -1 : 0;
}

static int check_position(const struct reading *reading, const struct position *position,
			  uint64_t page, struct error *err)
{
	if (position->page != page || (position->next != 0 && position->next != page + 1))
		return error_set(err, ERR_UNAVAILABLE,
				 "Hetzner Cloud answered page %" PRIu64 " of %s for page %" PRIu64,
				 position->page, reading->plural, page);
	if (position->last > HETZNER_PAGES_MAX || page > HETZNER_PAGES_MAX)
		return error_set(err, ERR_UNAVAILABLE, "Hetzner Cloud's list of %s does not end",
				 reading->plural);
	return 0;
}

static int read_page(struct hetzner *hetzner, struct reading *reading, uint64_t page,
		     struct position *ret, struct error *err)
{
	CLEANUP(cleanup_hetzner_call) struct hetzner_call call = {0};
	struct hetzner_reader reader = {.err = err};
	char number[32];
	json_t *object;
	size_t index;

	hetzner_call_init(&call, "GET", "%s", reading->first->path);
	call.refused = reading->first->refused;
	call.err = reading->first->err;
	(void)snprintf(number, sizeof(number), "%" PRIu64, page);
	hetzner_call_query(&call, "page", number);
	(void)snprintf(number, sizeof(number), "%d", HETZNER_PER_PAGE);
	hetzner_call_query(&call, "per_page", number);
	hetzner_call_query(&call, "sort", "id:asc");
	if (hetzner_perform_one(hetzner, &call, err) < 0)
		return -1;
	const json_t *items =
		hetzner_read_array(&reader, call.reply, reading->plural, HETZNER_PER_PAGE);
	if (reader.failed || read_position(call.reply, ret, err) < 0 ||
	    check_position(reading, ret, page, err) < 0)
		return hetzner_fail(hetzner, HETZNER_UNREACHABLE);
	json_array_foreach (items, index, object) {
		if (take_item(reading, object, err) < 0)
			return hetzner_fail(hetzner, HETZNER_UNREACHABLE);
	}
	return 0;
}

/* The first page, and which is the last. */
static int look_ahead(struct hetzner *hetzner, struct reading *reading, struct position *first,
		      uint64_t *ret_last, struct error *err)
{
	struct position position;

	if (read_page(hetzner, reading, 1, first, err) < 0)
		return -1;
	*ret_last = first->next == 0 ? 1 : first->last;
	position = *first;
	/* It may not be told: then only walking shows. */
	while (*ret_last == 0) {
		uint64_t page = position.next;

		if (read_page(hetzner, reading, page, &position, err) < 0)
			return -1;
		if (position.next == 0)
			*ret_last = page;
	}
	return 0;
}

static int entry_compare(const void *a, const void *b)
{
	int64_t left = ((const struct entry *)a)->id;
	int64_t right = ((const struct entry *)b)->id;

	return (left > right) - (left < right);
}

/* By id, each once. */
static void sort_entries(struct reading *reading)
{
	size_t kept = 0;

	if (reading->count > 0)
		qsort(reading->entries, reading->count, sizeof(*reading->entries), entry_compare);
	for (size_t i = 0; i < reading->count; i++) {
		if (kept > 0 && reading->entries[kept - 1].id == reading->entries[i].id)
			json_decref(reading->entries[i].object);
		else
			reading->entries[kept++] = reading->entries[i];
	}
	reading->count = kept;
}

/* Reads all, and says whether it is whole: -1, or 0 with the answer in *ret_whole.
 *
 * The pages are read from the last to the first, in the order of ids. What is deleted meanwhile
 * makes those behind it move to pages that are still to be read: they come twice, and none is
 * missed. What is new comes last. So only a total that has grown, or one that was not reached,
 * leaves a doubt. */
static int read_once(struct hetzner *hetzner, struct reading *reading, bool *ret_whole,
		     struct error *err)
{
	struct position position = {0};
	uint64_t total;
	uint64_t last;

	if (look_ahead(hetzner, reading, &position, &last, err) < 0)
		return -1;
	*ret_whole = true;
	total = position.total;
	if (last > 1)
		clear(reading);
	for (uint64_t page = last > 1 ? last : 0; page > 0; page--) {
		if (read_page(hetzner, reading, page, &position, err) < 0)
			return -1;
		if (position.total > total || (page == last && position.next != 0))
			*ret_whole = false;
		total = position.total;
	}
	sort_entries(reading);
	if (position.has_total && reading->count < position.total)
		*ret_whole = false;
	return 0;
}

static int read_whole(struct hetzner *hetzner, struct reading *reading, struct error *err)
{
	bool is_whole = false;

	for (int i = 0; i < HETZNER_READINGS_MAX; i++) {
		clear(reading);
		if (read_once(hetzner, reading, &is_whole, err) < 0)
			return -1;
		if (is_whole)
			return 0;
	}
	(void)hetzner_fail(hetzner, HETZNER_UNREACHABLE);
	(void)error_set(err, ERR_UNAVAILABLE,
			"Hetzner Cloud's list of %s changed, or broke off, each of the %d times "
			"that it was read",
			reading->plural, HETZNER_READINGS_MAX);
	return error_hint(err, "ask again in a moment");
}

int hetzner_pages_read(struct hetzner *hetzner, const struct hetzner_call *first,
		       const char *plural,
		       int (*item)(void *context, const json_t *json, struct error *err),
		       void *context, struct error *err)
{
	struct reading reading = {.first = first, .plural = plural};
	int result = read_whole(hetzner, &reading, err);

	for (size_t i = 0; result == 0 && i < reading.count; i++) {
		if (item(context, reading.entries[i].object, err) < 0)
			result = hetzner_fail(hetzner, HETZNER_UNREACHABLE);
	}
	clear(&reading);
	return result;
}

uint64_t hetzner_listing_requests(size_t count)
{
	uint64_t pages = (count + HETZNER_PER_PAGE - 1) / HETZNER_PER_PAGE;

	return pages > 1 ? pages + 1 : 1;
}

void *hetzner_list_grow(void **items, size_t *count, size_t element_bytes)
{
	/* Powers of two, so that growing stays cheap. */
	if ((*count & (*count - 1)) == 0)
		*items = xreallocarray(*items, *count == 0 ? 1 : *count * 2, element_bytes);
	void *place = (char *)*items + *count * element_bytes;
	memset(place, 0, element_bytes);
	(*count)++;
	return place;
}
