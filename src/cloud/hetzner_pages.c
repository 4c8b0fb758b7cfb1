#include "cloud/hetzner_pages.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "cloud/hetzner_parse.h"

/* What stands in meta.pagination of a page; 0 for null. */
struct position {
	uint64_t page, next, total;
	bool has_total;
};

static int read_position(const json_t *reply, struct position *ret, struct error *err)
{
	struct hetzner_reader reader = {.err = err};
	const json_t *meta = hetzner_read_object(&reader, reply, "meta");
	const json_t *pagination = hetzner_read_object(&reader, meta, "pagination");
	const json_t *next = json_object_get(pagination, "next_page");
	const json_t *total = json_object_get(pagination, "total_entries");

	*ret = (struct position){0};
	hetzner_read_count(&reader, pagination, "page", UINT32_MAX, &ret->page);
	if (next != NULL && !json_is_null(next))
		hetzner_read_count(&reader, pagination, "next_page", UINT32_MAX, &ret->next);
	ret->has_total = total != NULL && !json_is_null(total);
	if (ret->has_total)
		hetzner_read_count(&reader, pagination, "total_entries", UINT32_MAX, &ret->total);
	return reader.failed ? -1 : 0;
}

/* A listing on its way: whose objects go where, and which ids have come. */
struct listing {
	const struct hetzner_call *first;
	const char *plural;
	int (*item)(void *context, const json_t *json, struct error *err);
	void *context;
	int64_t *ids;
	size_t count;
	uint64_t total; /* as the last page told, 0 before */
};

static int take_item(struct listing *listing, const json_t *json, struct error *err)
{
	struct hetzner_reader reader = {.err = err};
	void *ids = listing->ids;
	int64_t *id = hetzner_list_grow(&ids, &listing->count, sizeof(*listing->ids));

	listing->ids = ids;
	hetzner_read_id(&reader, json, "id", id);
	return reader.failed ? -1 : listing->item(listing->context, json, err);
}

static int read_page(struct hetzner *hetzner, struct listing *listing, uint64_t page,
		     struct position *ret, struct error *err)
{
	CLEANUP(cleanup_hetzner_call) struct hetzner_call call = {0};
	struct hetzner_reader reader = {.err = err};
	char number[32];
	const json_t *object;
	size_t index;

	hetzner_call_init(&call, "GET", "%s", listing->first->path);
	(void)snprintf(number, sizeof(number), "%" PRIu64, page);
	hetzner_call_query(&call, "page", number);
	(void)snprintf(number, sizeof(number), "%d", HETZNER_PER_PAGE);
	hetzner_call_query(&call, "per_page", number);
	if (hetzner_perform_one(hetzner, &call, err) < 0)
		return -1;
	const json_t *items =
		hetzner_read_array(&reader, call.reply, listing->plural, HETZNER_PER_PAGE);
	if (reader.failed || read_position(call.reply, ret, err) < 0)
		return hetzner_fail(hetzner, HETZNER_UNREACHABLE);
	json_array_foreach (items, index, object) {
		if (take_item(listing, object, err) < 0)
			return hetzner_fail(hetzner, HETZNER_UNREACHABLE);
	}
	return 0;
}

static int check_page(struct listing *listing, const struct position *position, uint64_t page,
		      struct error *err)
{
	if (position->page != page || (position->next != 0 && position->next != page + 1))
		return error_set(err, ERR_UNAVAILABLE,
				 "Hetzner Cloud answered page %" PRIu64 " of %s for page %" PRIu64,
				 position->page, listing->plural, page);
	/* One less than before: something on an earlier page was deleted, all behind it has moved
	 * up, and what stood first on this page was never seen. */
	if (position->has_total && position->total < listing->total)
		return error_set(err, ERR_UNAVAILABLE,
				 "Hetzner Cloud's list of %s changed while it was read",
				 listing->plural);
	listing->total = position->total;
	/* Fewer than were announced: the listing broke off. More may come to be while it is read.
	 */
	if (position->next == 0 && position->has_total && listing->count < position->total)
		return error_set(err, ERR_UNAVAILABLE,
				 "Hetzner Cloud's list of %s broke off: %zu of %" PRIu64,
				 listing->plural, listing->count, position->total);
	return 0;
}

static int id_compare(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a;
	int64_t right = *(const int64_t *)b;

	return (left > right) - (left < right);
}

/* What came twice stands in for something that did not come. */
static int check_ids(struct listing *listing, struct error *err)
{
	if (listing->count > 0)
		qsort(listing->ids, listing->count, sizeof(*listing->ids), id_compare);
	for (size_t i = 1; i < listing->count; i++) {
		if (listing->ids[i] == listing->ids[i - 1])
			return error_set(err, ERR_UNAVAILABLE,
					 "Hetzner Cloud's list of %s changed while it was read: "
					 "%" PRId64 " came twice",
					 listing->plural, listing->ids[i]);
	}
	return 0;
}

static int read_pages(struct hetzner *hetzner, struct listing *listing, struct error *err)
{
	struct position position;

	for (uint64_t page = 1; page <= HETZNER_PAGES_MAX; page++) {
		if (read_page(hetzner, listing, page, &position, err) < 0)
			return -1;
		if (check_page(listing, &position, page, err) < 0)
			return hetzner_fail(hetzner, HETZNER_UNREACHABLE);
		if (position.next != 0)
			continue;
		return check_ids(listing, err) < 0 ? hetzner_fail(hetzner, HETZNER_UNREACHABLE) : 0;
	}
	(void)hetzner_fail(hetzner, HETZNER_UNREACHABLE);
	return error_set(err, ERR_UNAVAILABLE, "Hetzner Cloud's list of %s does not end",
			 listing->plural);
}

int hetzner_pages_read(struct hetzner *hetzner, const struct hetzner_call *first,
		       const char *plural,
		       int (*item)(void *context, const json_t *json, struct error *err),
		       void *context, struct error *err)
{
	struct listing listing = {
		.first = first, .plural = plural, .item = item, .context = context};
	int result = read_pages(hetzner, &listing, err);

	free(listing.ids);
	return result;
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
