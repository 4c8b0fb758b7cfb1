#include "cloud/hetzner_pages.h"

#include <inttypes.h>
#include <stdio.h>
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

static int read_page(struct hetzner *hetzner, const struct hetzner_call *first, uint64_t page,
		     const char *plural,
		     int (*item)(void *context, const json_t *json, struct error *err),
		     void *context, struct position *ret, size_t *count, struct error *err)
{
	CLEANUP(cleanup_hetzner_call) struct hetzner_call call = {0};
	char number[32];
	const json_t *object;
	size_t index;

	hetzner_call_init(&call, "GET", "%s", first->path);
	(void)snprintf(number, sizeof(number), "%" PRIu64, page);
	hetzner_call_query(&call, "page", number);
	(void)snprintf(number, sizeof(number), "%d", HETZNER_PER_PAGE);
	hetzner_call_query(&call, "per_page", number);
	if (hetzner_perform_one(hetzner, &call, err) < 0)
		return -1;
	struct hetzner_reader reader = {.err = err};
	const json_t *items = hetzner_read_array(&reader, call.reply, plural, HETZNER_PER_PAGE);
	if (reader.failed || read_position(call.reply, ret, err) < 0)
		return hetzner_fail(hetzner, HETZNER_UNREACHABLE);
	json_array_foreach (items, index, object) {
		if (item(context, object, err) < 0)
			return hetzner_fail(hetzner, HETZNER_UNREACHABLE);
		(*count)++;
	}
	return 0;
}

int hetzner_pages_read(struct hetzner *hetzner, const struct hetzner_call *first,
		       const char *plural,
		       int (*item)(void *context, const json_t *json, struct error *err),
		       void *context, struct error *err)
{
	uint64_t page = 1;
	size_t count = 0;
	struct position position;

	for (unsigned i = 0; i < HETZNER_PAGES_MAX; i++) {
		if (read_page(hetzner, first, page, plural, item, context, &position, &count, err) <
		    0)
			return -1;
		if (position.page != page || (position.next != 0 && position.next != page + 1)) {
			(void)hetzner_fail(hetzner, HETZNER_UNREACHABLE);
			return error_set(err, ERR_UNAVAILABLE,
					 "Hetzner Cloud answered page %" PRIu64 " of %s for page "
					 "%" PRIu64,
					 position.page, plural, page);
		}
		/* Fewer than were announced: the listing broke off. More or as many may come to
		 * be while it is read. */
		if (position.next == 0 && position.has_total && count < position.total) {
			(void)hetzner_fail(hetzner, HETZNER_UNREACHABLE);
			return error_set(err, ERR_UNAVAILABLE,
					 "Hetzner Cloud's list of %s broke off: %zu of %" PRIu64,
					 plural, count, position.total);
		}
		if (position.next == 0)
			return 0;
		page++;
	}
	(void)hetzner_fail(hetzner, HETZNER_UNREACHABLE);
	return error_set(err, ERR_UNAVAILABLE, "Hetzner Cloud's list of %s does not end", plural);
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
