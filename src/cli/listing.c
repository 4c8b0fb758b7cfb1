#include "cli/listing.h"

#include <unistd.h>

#include "base/encode.h"
#include "cli/job_view.h"
#include "core/limits.h"

#define QUERY_BYTES_MAX (64ULL * 1024)
#define TEXT_BYTES_MAX	(1024ULL * 1024 * 1024)
#define ITEMS_MAX	10000000

static int fetch_page(struct session *session, const struct listing_options *options,
		      const char *cursor, json_t **ret, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf path = {0};
	uint64_t limit = options->limit == 0 && options->all ? LIMIT_PAGE : options->limit;

	buf_init(&path, QUERY_BYTES_MAX);
	buf_appendf(&path, "%s?limit=%llu%s", options->path,
		    (unsigned long long)(limit ? limit : DEFAULT_PAGE), options->query);
	if (cursor) {
		buf_append_str(&path, "&cursor=");
		url_encode(&path, cursor, false);
	}
	return api_get(session->api, path.data, ret, err);
}

/* Every page from the cursor on (or one), in one document. */
static int fetch(struct session *session, const struct listing_options *options, json_t **ret,
		 struct error *err)
{
	CLEANUP(cleanup_json) json_t *items = json_array();
	CLEANUP(cleanup_free) char *cursor = options->cursor ? xstrdup(options->cursor) : NULL;
	const char *next;

	do {
		CLEANUP(cleanup_json) json_t *page = NULL;

		if (fetch_page(session, options, cursor, &page, err) != 0)
			return -1;
		if (!json_is_array(json_object_get(page, "items")) ||
		    json_array_size(items) > ITEMS_MAX)
			return error_set(err, ERR_UNAVAILABLE, "the server's list is garbled");
		json_array_extend(items, json_object_get(page, "items"));
		next = api_text(page, "next_cursor");
		free(cursor);
		cursor = next ? xstrdup(next) : NULL;
	} while (options->all && cursor);
	*ret = json_pack("{s:O, s:s?}", "items", items, "next_cursor", cursor);
	return 0;
}

static void append_ids(const json_t *items, struct buf *out)
{
	const json_t *item;
	size_t index;

	json_array_foreach (items, index, item) {
		terminal_clean(out, api_text(item, "id") ? api_text(item, "id") : "?");
		buf_append_char(out, '\n');
	}
}

int listing_print(struct session *session, const struct listing_options *options, struct error *err)
{
	CLEANUP(cleanup_json) json_t *list = NULL;
	CLEANUP(cleanup_buf) struct buf text = {0};
	const json_t *items;
	const char *next;

	buf_init(&text, TEXT_BYTES_MAX);
	if (fetch(session, options, &list, err) != 0)
		return -1;
	items = json_object_get(list, "items");
	next = api_text(list, "next_cursor");
	if (options->as_json)
		view_json(list, &text);
	else if (options->ids_only)
		append_ids(items, &text);
	else if (json_array_size(items) > 0)
		options->view(items, session->terminal, &text);
	if (!options->as_json && !options->ids_only && json_array_size(items) == 0)
		terminal_note(session->terminal, "%s", options->nothing);
	if (terminal_write(STDOUT_FILENO, text.data, text.bytes, err) != 0)
		return -1;
	if (next && !options->as_json && !options->ids_only)
		terminal_note(session->terminal, "there are more: --all, or --cursor %s", next);
	return 0;
}
