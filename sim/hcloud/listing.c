#include "hcloud/listing.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/error.h"
#include "base/str.h"
#include "hcloud/resources.h"
#include "hcloud/selector.h"

#define PER_PAGE_DEFAULT 25
#define PER_PAGE_MAX	 50
#define SORT_KEYS_MAX	 8
#define FIELD_NAME_MAX	 24
#define LINK_BYTES_MAX	 65536
#define US_PER_MS	 1000

struct sort_key {
	char field[FIELD_NAME_MAX];
	bool descending;
};

struct sort_order {
	struct sort_key keys[SORT_KEYS_MAX];
	size_t count;
};

struct page {
	uint64_t number;
	uint64_t size;
	uint64_t last;
	uint64_t total;
};

void listing_add_table(struct listing *listing, const struct table *table)
{
	listing->docs =
		xreallocarray(listing->docs, listing->count + table->count + 1, sizeof(json_t *));
	for (size_t i = 0; i < table->count; i++)
		listing->docs[listing->count++] = table->docs[i];
}

void listing_begin(struct listing *listing, struct call *call, enum kind kind)
{
	*listing = (struct listing){.call = call, .kind = kind};
	listing_add_table(listing, sim_table(call->sim, call->project, kind));
}

void listing_release(struct listing *listing)
{
	free(listing->docs);
	*listing = (struct listing){0};
}

void listing_keep(struct listing *listing, bool (*keep)(const json_t *doc, const void *context),
		  const void *context)
{
	size_t kept = 0;

	for (size_t i = 0; i < listing->count; i++) {
		if (keep(listing->docs[i], context))
			listing->docs[kept++] = listing->docs[i];
	}
	listing->count = kept;
}

struct wanted {
	const struct query *query;
	const char *parameter;
	const char *member;
};

static bool is_wanted(const json_t *doc, const void *context)
{
	const struct wanted *wanted = context;
	const json_t *value = json_object_get(doc, wanted->member);
	char number[24];

	if (json_is_string(value))
		return query_has(wanted->query, wanted->parameter, json_string_value(value));
	if (!json_is_integer(value))
		return false;
	(void)snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	return query_has(wanted->query, wanted->parameter, number);
}

void listing_filter(struct listing *listing, const char *parameter, const char *member)
{
	const struct wanted wanted = {&listing->call->query, parameter, member};

	if (query_get(&listing->call->query, parameter))
		listing_keep(listing, is_wanted, &wanted);
}

static bool is_selected(const json_t *doc, const void *context)
{
	return selector_matches(context, json_object_get(doc, "labels"));
}

static int select_labels(struct listing *listing)
{
	const char *text = query_get(&listing->call->query, "label_selector");
	CLEANUP(cleanup_selector) struct selector *selector = NULL;
	char problem[SELECTOR_ERROR_BYTES];

	if (!text)
		return 0;
	if (selector_parse(text, &selector, problem) < 0)
		return problem_set(&listing->call->problem, PROBLEM_INVALID_INPUT,
				   "invalid label_selector: %s", problem);
	listing_keep(listing, is_selected, selector);
	return 0;
}

static bool is_older(const json_t *doc, const void *context)
{
	return doc_int(doc, "_born_ms") <= *(const int64_t *)context;
}

/* Fault: what was made a moment ago is not listed yet. */
static void apply_lag(struct listing *listing)
{
	struct call *call = listing->call;
	bool has_selector = query_get(&call->query, "label_selector") != NULL;
	const json_t *fault = faults_strike(&call->sim->faults, FAULT_LIST_LAG,
					    (const struct fault_subject[]){
						    {"path", call->path + strlen(API_PREFIX)},
						    {NULL, NULL},
					    });

	if (!fault || (!has_selector && !json_object_get(fault, "all")))
		return;
	int64_t newest_ms = (int64_t)clock_boottime_ms() - fault_int(fault, "ms", 0);
	listing_keep(listing, is_older, &newest_ms);
}

/* "name", "name:asc", "name:desc" with a name among the words of `allowed`. */
static int parse_sort_key(struct call *call, const char *text, const char *allowed,
			  struct sort_key *ret)
{
	size_t bytes = strcspn(text, ":");
	const char *direction = text[bytes] ? text + bytes + 1 : "asc";
	const char *found = allowed;

	if (bytes == 0 || bytes >= FIELD_NAME_MAX || memchr(text, ' ', bytes))
		return problem_invalid(&call->problem, "sort", "invalid sort field");
	(void)snprintf(ret->field, FIELD_NAME_MAX, "%.*s", (int)bytes, text);
	for (; (found = strstr(found, ret->field)); found += bytes) {
		bool begins = found == allowed || found[-1] == ' ';

		if (begins && (found[bytes] == ' ' || found[bytes] == '\0'))
			break;
	}
	if (!found || (!str_eq(direction, "asc") && !str_eq(direction, "desc")))
		return problem_invalid(&call->problem, "sort", "invalid sort field '%s'", text);
	ret->descending = str_eq(direction, "desc");
	return 0;
}

static int parse_sort(struct call *call, const char *allowed, struct sort_order *ret)
{
	*ret = (struct sort_order){.count = 0};
	for (size_t i = 0; i < call->query.count; i++) {
		const struct query_item *item = &call->query.items[i];

		if (!str_eq(item->name, "sort"))
			continue;
		if (ret->count == SORT_KEYS_MAX)
			return problem_invalid(&call->problem, "sort", "too many sort fields");
		if (parse_sort_key(call, item->value, allowed, &ret->keys[ret->count++]) < 0)
			return -1;
	}
	return 0;
}

static int compare_values(const json_t *a, const json_t *b)
{
	if (json_is_integer(a) && json_is_integer(b)) {
		json_int_t left = json_integer_value(a);
		json_int_t right = json_integer_value(b);

		return (left > right) - (left < right);
	}
	if (json_is_string(a) && json_is_string(b))
		return strcmp(json_string_value(a), json_string_value(b));
	return json_is_string(a) - json_is_string(b);
}

static int compare(const void *a, const void *b, void *context)
{
	const json_t *left = *(const json_t *const *)a;
	const json_t *right = *(const json_t *const *)b;
	const struct sort_order *order = context;

	for (size_t i = 0; i < order->count; i++) {
		const struct sort_key *key = &order->keys[i];
		int result = compare_values(json_object_get(left, key->field),
					    json_object_get(right, key->field));

		if (result != 0)
			return key->descending ? -result : result;
	}
	return compare_values(json_object_get(left, "id"), json_object_get(right, "id"));
}

static int read_number(struct call *call, const char *name, uint64_t absent, uint64_t *ret)
{
	const char *text = query_get(&call->query, name);
	struct error err;

	*ret = absent;
	if (text && parse_u64(text, 1, INT32_MAX, ret, &err) < 0)
		return problem_invalid(&call->problem, name, "must be a positive integer");
	return 0;
}

static int read_page(struct call *call, size_t total, struct page *ret)
{
	if (read_number(call, "page", 1, &ret->number) < 0 ||
	    read_number(call, "per_page", PER_PAGE_DEFAULT, &ret->size) < 0)
		return -1;
	if (ret->size > PER_PAGE_MAX)
		ret->size = PER_PAGE_MAX;
	ret->total = total;
	ret->last = total ? (total + ret->size - 1) / ret->size : 1;
	return 0;
}

static void append_link(const struct call *call, struct buf *out, uint64_t page, const char *rel)
{
	buf_appendf(out, "%s<%s%s?", out->bytes ? ", " : "", call->base_url, call->path);
	for (size_t i = 0; i < call->query.count; i++) {
		const struct query_item *item = &call->query.items[i];

		if (str_eq(item->name, "page"))
			continue;
		url_encode(out, item->name, false);
		buf_append_char(out, '=');
		url_encode(out, item->value, false);
		buf_append_char(out, '&');
	}
	buf_appendf(out, "page=%" PRIu64 ">; rel=\"%s\"", page, rel);
}

static void set_link(struct call *call, const struct page *page)
{
	CLEANUP(cleanup_buf) struct buf link;

	buf_init(&link, LINK_BYTES_MAX);
	if (page->number > 1)
		append_link(call, &link, page->number - 1, "prev");
	if (page->number < page->last) {
		append_link(call, &link, page->number + 1, "next");
		append_link(call, &link, page->last, "last");
	}
	if (link.bytes > 0 && !link.overflowed)
		call->link = buf_detach(&link);
}

static json_t *page_meta(const struct page *page)
{
	bool has_previous = page->number > 1;
	bool has_next = page->number < page->last;
	json_t *pagination = json_pack(
		"{s:I,s:I,s:o,s:o,s:I,s:I}", "page", (json_int_t)page->number, "per_page",
		(json_int_t)page->size, "previous_page",
		has_previous ? json_integer((json_int_t)page->number - 1) : json_null(),
		"next_page", has_next ? json_integer((json_int_t)page->number + 1) : json_null(),
		"last_page", (json_int_t)page->last, "total_entries", (json_int_t)page->total);

	return json_pack("{s:o}", "pagination", pagination);
}

static int reply(struct listing *listing, const char *sort_fields)
{
	struct call *call = listing->call;
	struct sort_order order;
	struct page page;

	listing_filter(listing, "name", "name");
	apply_lag(listing);
	if (select_labels(listing) < 0 || parse_sort(call, sort_fields, &order) < 0 ||
	    read_page(call, listing->count, &page) < 0)
		return -1;
	qsort_r(listing->docs, listing->count, sizeof(listing->docs[0]), compare, &order);
	json_t *items = json_array();
	for (uint64_t i = (page.number - 1) * page.size;
	     i < page.number * page.size && i < listing->count; i++)
		(void)json_array_append_new(items, resource_view(call->sim, call->project,
								 listing->kind, listing->docs[i]));
	set_link(call, &page);
	return call_reply(call, 200,
			  json_pack("{s:o,s:o}", kind_plural(listing->kind), items, "meta",
				    page_meta(&page)));
}

int listing_reply(struct listing *listing, const char *sort_fields)
{
	int result = reply(listing, sort_fields);

	listing_release(listing);
	return result;
}
